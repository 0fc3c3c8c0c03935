//! Which functions may compiled code call, and where are they?
//!
//! The one list of link names. An executable finds them by name in the static library; the JIT asks here.

use crate::{
    array, audit, big, callback, capabilities, chars, component, crypto, defer, fiber, fiber_switch, files, foreign,
    handler, heap, host, io, io_effects, machine, math, number, panic, platform, random, regex, reload, resource,
    security, segments, stack, stream, string, taken, text, time, zone,
};

/// Addresses are shared freely: they are code.
struct Table<const N: usize>([(&'static str, *const u8); N]);

// SAFETY: the pointers are addresses of functions, never written through.
unsafe impl<const N: usize> Sync for Table<N> {}

macro_rules! table {
    ($($module:ident: $($name:ident)*;)*) => {
        static TABLE: Table<{ [$($(stringify!($name)),*),*].len() }> =
            Table([$($((stringify!($name), $module::$name as *const u8)),*),*]);

        /// Where each of them is.
        #[cfg(test)]
        const MODULES: &[(&str, &str)] = &[$($((stringify!($name), stringify!($module))),*),*];
    };
}

table! {
    array:
        reml_array_new
        reml_array_grow
        reml_fill
        reml_copy
    ;
    audit:
        reml_audit_is_on
        reml_audit_log
        reml_audit_line
        reml_audit_flush
        reml_pii_problem
        reml_pii_find
        reml_pii_redact
    ;
    big:
        reml_big_add
        reml_big_sub
        reml_big_mul
        reml_big_div
        reml_big_rem
        reml_big_pow
        reml_big_mod_pow
        reml_big_sqrt
        reml_big_shl
        reml_big_shr
        reml_big_to_text
        reml_big_from_text
    ;
    callback:
        reml_callback_new
        reml_callback_code
        reml_variadic
    ;
    capabilities:
        reml_capability_get
        reml_capability_all
        reml_capability_stage_of
        reml_capability_verify
        reml_capability_verify_contract
        reml_capability_register
        reml_capability_unregister
        reml_capability_add_target
        reml_capability_has_target
        reml_security_enforce
        reml_security_policy_digest
        reml_security_report
    ;
    chars:
        reml_char_is_alphabetic
        reml_char_is_numeric
        reml_char_is_alphanumeric
        reml_char_is_whitespace
        reml_char_is_uppercase
        reml_char_is_lowercase
        reml_char_is_control
        reml_char_is_punctuation
        reml_char_is_symbol
        reml_char_is_xid_start
        reml_char_is_xid_continue
        reml_char_to_upper
        reml_char_to_lower
        reml_char_show
    ;
    component:
        reml_component_link
    ;
    crypto:
        reml_sha256
        reml_ed25519_is_key
        reml_ed25519_public
        reml_ed25519_sign
        reml_ed25519_verify
    ;
    defer:
        reml_defer_push
        reml_defer_pop
    ;
    fiber:
        reml_continuation_free
    ;
    fiber_switch:
        reml_fiber_start
        reml_fiber_resume
        reml_fiber_resume_last
        reml_fiber_continue
        reml_fiber_suspend
    ;
    files:
        reml_file_read
        reml_file_read_bytes
        reml_file_write
        reml_file_write_bytes
        reml_file_exists
        reml_file_remove
        reml_file_copy
        reml_file_rename
        reml_file_set_permissions
        reml_file_sync
        reml_file_metadata
        reml_folder_list
        reml_folder_create
        reml_folder_remove
        reml_link_create
        reml_link_read
        reml_path_canonical
        reml_temp_create
    ;
    foreign:
        reml_foreign_new
        reml_errno
        reml_set_errno
    ;
    handler:
        reml_handle
        reml_unwind
        reml_panic_unhandled
    ;
    heap:
        reml_alloc_slow
        reml_alloc_large
        reml_free_large
        reml_free
    ;
    host:
        reml_host_next
        reml_host_call
        reml_host_kind
        reml_host_read_int
        reml_host_read_float
        reml_host_read_data
        reml_host_put_unit
        reml_host_put_bool
        reml_host_put_int
        reml_host_put_float
        reml_host_put_text
        reml_host_put_bytes
        reml_host_open_list
        reml_host_close_list
    ;
    io:
        reml_stdout_write
        reml_stdout_write_bytes
        reml_stdout_flush
        reml_stderr_write
        reml_stderr_write_bytes
        reml_stdin_read_line
        reml_stdin_read_all
        reml_error_text
        reml_error_kind
        reml_args_count
        reml_args_get
        reml_env_get
        reml_env_find
        reml_env_set
        reml_env_vars
        reml_process_exit
        reml_test_expect_panic
        reml_current_dir
    ;
    io_effects:
        reml_io_effects_take
    ;
    machine:
        reml_machine_pause
        reml_machine_mfence
        reml_machine_lfence
        reml_machine_sfence
        reml_machine_rdtsc
        reml_machine_rdtscp
        reml_machine_cpuid
        reml_machine_rdrand
        reml_machine_yield
        reml_machine_isb
        reml_machine_dmb
        reml_machine_dsb
        reml_machine_cntvct
        reml_machine_cntfrq
    ;
    math:
        reml_math_sin
        reml_math_cos
        reml_math_tan
        reml_math_asin
        reml_math_acos
        reml_math_atan
        reml_math_sinh
        reml_math_cosh
        reml_math_tanh
        reml_math_exp
        reml_math_exp2
        reml_math_exp_m1
        reml_math_ln
        reml_math_ln_1p
        reml_math_log2
        reml_math_log10
        reml_math_cbrt
        reml_math_atan2
        reml_math_pow
        reml_math_hypot reml_float_rem
    ;
    number:
        reml_int_to_str
        reml_uint_to_str
        reml_int_to_radix
        reml_float_to_str
        reml_f32_to_str
        reml_float_to_fixed
        reml_float_to_exp
        reml_float_to_general
        reml_float_parse
        reml_float_parse_ok
    ;
    panic:
        reml_panic_index
        reml_panic_overflow
        reml_panic_div_zero
        reml_panic_cast_int
        reml_panic_cast_float
        reml_panic_cast_char
        reml_panic_match
        reml_panic_str
        reml_panic_text
    ;
    platform:
        reml_platform_facts
        reml_platform_triple
    ;
    random:
        reml_random_bytes
    ;
    regex:
        reml_regex_is_match
        reml_regex_group
        reml_regex_valid
        reml_regex_compile
        reml_regex_found
        reml_regex_find
        reml_regex_find_bytes
        reml_regex_end_at
        reml_regex_groups_at
    ;
    security:
        reml_str_skeleton
        reml_str_mixes_scripts
    ;
    segments:
        reml_str_word_bounds
        reml_str_sentence_bounds
        reml_str_line_breaks
    ;
    stack:
        reml_stack_left
    ;
    reload:
        reml_reload_point
        reml_reload_open
        reml_reload_releases
        reml_reload_refuse
    ;
    resource:
        reml_resource_free
        reml_resource_close
        reml_resource_is_open
        reml_resource_path
        reml_resource_list
        reml_resource_close_all
        reml_resource_keep
    ;
    stream:
        reml_stream_open
        reml_stream_create
        reml_stream_read
        reml_stdin_read
        reml_stream_write
        reml_stream_write_str
        reml_stream_flush
        reml_stream_sync
        reml_stream_seek
        reml_bytes_find
        reml_bytes_to_str
        reml_bytes_extend
        reml_bytes_put
    ;
    string:
        reml_str_free
        reml_str_concat
        reml_str_with_capacity
        reml_str_from_char
        reml_str_push_char
        reml_str_slice
        reml_str_repeat
    ;
    taken:
        reml_take_str
        reml_take_bytes
        reml_take_ints
        reml_take_strs
        reml_take_resource
    ;
    text:
        reml_str_eq
        reml_str_matches
        reml_str_compare
        reml_str_hash
        reml_str_char_at
        reml_str_char_count
        reml_str_find
        reml_str_rfind
        reml_str_starts_with
        reml_str_ends_with
        reml_str_trim
        reml_str_trim_start
        reml_str_trim_end
        reml_str_to_upper
        reml_str_to_lower
        reml_str_replace
        reml_str_reverse
        reml_str_is_char_boundary
        reml_str_next_grapheme
        reml_str_grapheme_count
        reml_str_display_width
        reml_str_normalize
        reml_str_is_normalized
        reml_str_fold_case
        reml_str_to_bytes
        reml_bytes_utf8_error
        reml_bytes_utf8_error_end
        reml_str_from_utf8
        reml_str_show
        reml_str_join
        reml_str_split
        reml_str_lines
        reml_str_split_whitespace
        reml_str_is_ascii
    ;
    time:
        reml_time_wall_seconds
        reml_time_wall_nanos
        reml_time_monotonic_nanos
        reml_time_sleep_nanos
    ;
    zone:
        reml_zone_offset
        reml_zone_local_offset
        reml_zone_abbreviation
        reml_zone_local_name
    ;
}

/// Link name and address of every runtime function.
pub fn symbols() -> &'static [(&'static str, *const u8)] {
    &TABLE.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::CODEGEN_FUNCTIONS;
    use reml_capability::policy::Power;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_include_what_codegen_calls() {
        let names: HashSet<&str> = symbols().iter().map(|symbol| symbol.0).collect();
        assert_eq!(names.len(), symbols().len());
        for function in CODEGEN_FUNCTIONS {
            assert!(names.contains(function.name), "{} is missing", function.name);
        }
    }

    /// The functions that ask the gate, by what they ask for.
    const GATED: &[(Power, &[&str])] = &[
        (
            Power::Read,
            &[
                "reml_file_read",
                "reml_file_read_bytes",
                "reml_file_exists",
                "reml_file_metadata",
                "reml_folder_list",
                "reml_link_read",
                "reml_path_canonical",
                "reml_stream_open",
            ],
        ),
        (
            Power::Write,
            &[
                "reml_file_write",
                "reml_file_write_bytes",
                "reml_file_remove",
                // And `read`.
                "reml_file_copy",
                "reml_file_rename",
                "reml_file_set_permissions",
                "reml_file_sync",
                "reml_folder_create",
                "reml_folder_remove",
                "reml_link_create",
                "reml_temp_create",
                "reml_stream_create",
            ],
        ),
        (Power::EnvRead, &["reml_env_get", "reml_env_find", "reml_env_vars"]),
        (Power::EnvWrite, &["reml_env_set"]),
        (Power::Clock, &["reml_time_wall_seconds", "reml_time_wall_nanos"]),
        (Power::Random, &["reml_random_bytes"]),
        (Power::Ffi, &["reml_component_link"]),
    ];

    /// Modules that reach the system, with those of their functions that need no leave: streams that the program was given, what it has opened already, its own end,
    /// the monotonic clock, and the zone that the machine is in. What `machine` has is native code, which is asked for before the program begins.
    const WITHOUT_LEAVE: &[(&str, &[&str])] = &[
        ("component", &[]),
        ("files", &[]),
        (
            "io",
            &[
                "reml_stdout_write",
                "reml_stdout_write_bytes",
                "reml_stdout_flush",
                "reml_stderr_write",
                "reml_stderr_write_bytes",
                "reml_stdin_read_line",
                "reml_stdin_read_all",
                "reml_error_text",
                "reml_error_kind",
                "reml_args_count",
                "reml_args_get",
                "reml_process_exit",
                "reml_test_expect_panic",
                "reml_current_dir",
            ],
        ),
        ("random", &[]),
        (
            "resource",
            &[
                "reml_resource_free",
                "reml_resource_close",
                "reml_resource_path",
                "reml_resource_list",
                "reml_resource_close_all",
                "reml_resource_keep",
                "reml_resource_is_open",
            ],
        ),
        (
            "stream",
            &[
                "reml_stream_read",
                "reml_stdin_read",
                "reml_stream_write",
                "reml_stream_write_str",
                "reml_stream_flush",
                "reml_stream_sync",
                "reml_stream_seek",
                "reml_bytes_find",
                "reml_bytes_to_str",
                "reml_bytes_extend",
                "reml_bytes_put",
            ],
        ),
        ("time", &["reml_time_monotonic_nanos", "reml_time_sleep_nanos"]),
        ("zone", &["reml_zone_offset", "reml_zone_local_offset", "reml_zone_abbreviation", "reml_zone_local_name"]),
    ];

    /// Modules that compute, that talk to the log or the host of the run, and what only native code leads to.
    const HARMLESS: &[&str] = &[
        "array",
        "audit",
        "big",
        "callback",
        "capabilities",
        "chars",
        "crypto",
        "defer",
        "fiber",
        "fiber_switch",
        "foreign",
        "handler",
        "heap",
        "host",
        "io_effects",
        "machine",
        "math",
        "number",
        "panic",
        "platform",
        "regex",
        "reload",
        "security",
        "segments",
        "stack",
        "string",
        "taken",
        "text",
    ];

    /// Whoever adds a function decides whether the gate has to be asked.
    #[test]
    fn every_function_asks_the_gate_or_is_known_to_need_no_leave() {
        let gated: HashSet<&str> = GATED.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let free: HashSet<(&str, &str)> =
            WITHOUT_LEAVE.iter().flat_map(|(module, names)| names.iter().map(move |name| (*module, *name))).collect();
        let careful: HashSet<&str> = WITHOUT_LEAVE.iter().map(|(module, _)| *module).collect();
        for (name, module) in MODULES {
            let known = match (gated.contains(name), free.contains(&(*module, *name))) {
                (true, true) => panic!("{name} is said to be both"),
                (gated, free) => gated || free || HARMLESS.contains(module) && !careful.contains(module),
            };
            assert!(known, "does {name} of {module} need the gate's leave? Say so here");
        }
        let names: HashSet<&str> = MODULES.iter().map(|(name, _)| *name).collect();
        let said = gated.iter().chain(free.iter().map(|(_, name)| name));
        assert!(said.into_iter().all(|name| names.contains(name)), "a function is gone");
        // Only functions that are entered through a stub know which place in the program asks.
        let sources = [
            include_str!("component.rs"),
            include_str!("files.rs"),
            include_str!("io.rs"),
            include_str!("random.rs"),
            include_str!("stream.rs"),
            include_str!("time.rs"),
        ];
        for name in gated {
            let stub = format!(" {name} = ");
            assert!(sources.iter().any(|source| source.contains(&stub)), "{name} is not traced");
        }
    }

    /// Every exported function of the sources is in the table, but for those that start programs.
    #[test]
    fn nothing_is_forgotten() {
        let sources = [
            include_str!("array.rs"),
            include_str!("big.rs"),
            include_str!("chars.rs"),
            include_str!("crypto.rs"),
            include_str!("defer.rs"),
            include_str!("fiber.rs"),
            include_str!("fiber_switch.rs"),
            include_str!("files.rs"),
            include_str!("handler.rs"),
            include_str!("heap.rs"),
            include_str!("io.rs"),
            include_str!("machine.rs"),
            include_str!("math.rs"),
            include_str!("number.rs"),
            include_str!("panic.rs"),
            include_str!("random.rs"),
            include_str!("regex.rs"),
            include_str!("reload.rs"),
            include_str!("security.rs"),
            include_str!("segments.rs"),
            include_str!("resource.rs"),
            include_str!("stream.rs"),
            include_str!("string.rs"),
            include_str!("taken.rs"),
            include_str!("text.rs"),
            include_str!("time.rs"),
            include_str!("zone.rs"),
        ];
        let names: HashSet<&str> = symbols().iter().map(|symbol| symbol.0).collect();
        for line in sources.iter().flat_map(|source| source.lines()) {
            let Some((_, rest)) = line.split_once("extern \"C\" fn reml_") else { continue };
            let name = rest.split(['(', '<']).next().unwrap_or(rest);
            let name = format!("reml_{name}");
            assert!(names.contains(name.as_str()), "{name} is missing");
        }
    }
}
