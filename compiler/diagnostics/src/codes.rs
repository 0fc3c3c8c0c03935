//! The stable codes of diagnostics. A code is never renamed or reused; `registry` explains each one.

use std::fmt;

/// The identity of a kind of diagnostic, `type.mismatch`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Code {
    /// The short names that a code has besides, which other tools know it by.
    pub fn aliases(self) -> impl Iterator<Item = &'static str> {
        ALIASES.iter().filter(move |(code, _)| *code == self).map(|(_, alias)| *alias)
    }

    /// The code that a text means: itself, or that with this alias.
    pub fn named(text: &str) -> Option<Code> {
        let alias = || ALIASES.iter().find(|(_, alias)| *alias == text).map(|(code, _)| *code);
        ALL.iter().find(|code| code.0 == text).copied().or_else(alias)
    }
}

const ALIASES: &[(Code, &str)] = &[
    (TARGET_PROFILE_MISSING, "TARGET01"),
    (TARGET_ABI_MISMATCH, "TARGET02"),
    (TARGET_MISMATCH, "TARGET03"),
    (TARGET_CAPABILITY_UNKNOWN, "TARGET04"),
    (TARGET_UNKNOWN_VALUE, "TARGET05"),
];

macro_rules! codes {
    ($($name:ident = $text:literal;)*) => {
        $(pub const $name: Code = Code($text);)*

        /// Every code, in the order of the language specification.
        pub const ALL: &[Code] = &[$($name,)*];
    };
}

codes! {
    // Input
    SOURCE_NOT_FOUND = "source.not_found";
    SOURCE_UNREADABLE = "source.unreadable";
    SOURCE_INVALID_UTF8 = "source.invalid_utf8";
    SOURCE_BINARY = "source.binary";
    SOURCE_TOO_LARGE = "source.too_large";

    // Lexer and parser
    LEX_UNKNOWN_TOKEN = "parser.lexer.unknown_token";
    LEX_INVALID_ESCAPE = "parser.lexer.invalid_escape";
    LEX_UNTERMINATED_STRING = "parser.lexer.unterminated_string";
    LEX_UNTERMINATED_CHAR = "parser.lexer.unterminated_char";
    LEX_UNTERMINATED_COMMENT = "parser.lexer.unterminated_comment";
    LEX_NUMBER_OUT_OF_RANGE = "parser.lexer.number_out_of_range";
    LEX_INVALID_NUMBER = "parser.lexer.invalid_number";
    LEX_BIDI_CONTROL = "parser.lexer.bidi_control";
    PARSE_EXPECTED = "parser.syntax.expected_tokens";
    PARSE_UNEXPECTED_EOF = "parser.unexpected_eof";
    PARSE_NESTING_LIMIT = "parser.syntax.nesting_limit";
    PARSE_CHAINED_COMPARISON = "parser.syntax.chained_comparison";
    PARSE_FOREIGN_SYNTAX = "parser.syntax.foreign_spelling";
    PARSE_PIPE_PLACEHOLDER = "parser.syntax.pipe_placeholder";

    // Names and modules
    NAME_UNKNOWN = "language.name.unknown";
    NAME_DUPLICATE = "language.name.duplicate";
    NAME_AMBIGUOUS = "language.name.ambiguous";
    SHADOWING_UNICODE = "language.shadowing.unicode";
    TYPE_UNKNOWN = "language.type.unknown";
    TYPE_ARITY = "language.type.arity";
    ARITY_MISMATCH = "language.arity.mismatch";
    ARGUMENT_UNKNOWN_NAME = "language.argument.unknown_name";
    VISIBILITY_PRIVATE = "language.visibility.private";
    USE_UNKNOWN = "language.use.unknown";
    USE_DUPLICATE = "language.use.duplicate";
    USE_UNUSED = "language.use.unused";
    USE_CYCLE = "language.use.cycle";
    USE_AMBIGUOUS = "language.use.ambiguous";
    USE_INVALID_SUPER = "language.use.invalid_super";
    MAIN_MISSING = "language.main.missing";
    MAIN_SIGNATURE = "language.main.signature";
    INIT_CYCLE = "language.init.cycle";
    TOP_LEVEL_EXPRESSION = "language.top_level_expression";
    PACKAGE_INVALID_MANIFEST = "package.manifest.invalid";
    PACKAGE_DEPENDENCY_MISSING = "package.dependency.missing";

    // Configurations and manifests
    CONFIG_IO = "config.manifest.io_error";
    CONFIG_PARSE = "config.manifest.parse_error";
    CONFIG_DUPLICATE_KEY = "config.compat.duplicate_key";
    CONFIG_TRAILING_COMMA = "config.compat.trailing_comma";
    CONFIG_UNQUOTED_KEY = "config.compat.unquoted_key";
    CONFIG_NUMBER_FORMAT = "config.compat.number_format";
    CONFIG_TRIVIA = "config.trivia.invalid";
    CONFIG_COMPAT_PROFILE = "config.compat.unknown_profile";
    CONFIG_COMPAT_ENVIRONMENT = "config.compat.env_invalid";
    CONFIG_COMPAT_UNSUPPORTED = "config.compat.unsupported";
    CONFIG_CAPABILITY_CONTRACT = "config.manifest.capability_contract";
    CONFIG_MISSING_FIELD = "config.missing_field";
    CONFIG_INVALID_STAGE = "config.invalid_stage";
    CONFIG_PROJECT_VERSION = "config.project.version_invalid";
    CONFIG_PROJECT_KIND = "config.project.kind_unknown";
    CONFIG_BUILD_OPTIMIZE = "config.build.optimize_unknown";
    CONFIG_DSL_KIND = "config.dsl.unknown_kind";
    CONFIG_DSL_EXPORT = "config.dsl.export_not_found";
    CONFIG_SCHEMA_INVALID = "config.schema.invalid";
    CONFIG_SCHEMA_MISMATCH = "config.schema_mismatch";
    CONFIG_SCHEMA_VERSION = "config.schema.version_incompatible";
    BRIDGE_UNKNOWN = "bridge.unknown";
    BRIDGE_CONTRACT = "bridge.contract.violation";
    BRIDGE_EXPERIMENTAL = "bridge.stage.experimental";
    BRIDGE_TARGET = "bridge.target.mismatch";
    BRIDGE_MISSING_EVENT = "bridge.audit.missing_event";
    BRIDGE_STATE = "bridge.state.invalid";
    BRIDGE_DIFF_INVALID = "bridge.diff.invalid";
    BRIDGE_DIFF_REJECTED = "bridge.diff.rejected";
    BRIDGE_RELOAD_FAILED = "bridge.reload.failed";
    BRIDGE_RELOAD_UNSUPPORTED = "bridge.reload.unsupported";
    MANIFEST_ENTRY_MISSING = "manifest.entry.missing";

    UNRESOLVED_CFG = "unresolved.symbol.cfg";

    // Conditional compilation
    TARGET_UNKNOWN_KEY = "target.config.unknown_key";
    TARGET_UNKNOWN_VALUE = "target.config.unsupported_value";
    TARGET_MISMATCH = "target.config.mismatch";
    TARGET_PROFILE_MISSING = "target.profile.missing";
    TARGET_PROFILE_INVALID = "target.profile.invalid";
    TARGET_ABI_MISMATCH = "target.abi.mismatch";
    TARGET_CAPABILITY_UNKNOWN = "target.capability.unknown";
    FEATURE_MISMATCH = "config.feature.mismatch";
    CFG_UNSATISFIED = "language.cfg.unsatisfied_branch";
    CFG_EFFECTS = "effects.cfg.contract_violation";
    CFG_UNREACHABLE = "effects.cfg.unreachable";

    // Control flow and statements
    CONTROL_UNREACHABLE = "language.control_flow.unreachable";
    CONTROL_OUTSIDE_LOOP = "language.control_flow.outside_loop";
    CONTROL_OUTSIDE_FUNCTION = "language.control_flow.outside_function";
    ASSIGN_IMMUTABLE = "language.assign.immutable";
    ASSIGN_LEGACY = "language.assign.legacy_equals";
    ASSIGN_INVALID_PLACE = "language.assign.invalid_place";
    ITERATOR_EXPECTED = "language.iterator.expected";
    TRY_INVALID = "language.try.invalid";
    FORMAT_INVALID = "language.format.invalid";
    REFERENCE_ESCAPES = "language.reference.escapes";
    ATTRIBUTE_UNKNOWN = "language.attribute.unknown";
    ATTRIBUTE_INVALID = "language.attribute.invalid";
    MUST_USE = "language.must_use";
    AWAIT_NOT_FUTURE = "language.await.not_a_future";
    AWAIT_IN_DEFER = "language.await.in_defer";
    SIGNATURE_INCOMPLETE = "language.signature.incomplete";
    NOT_SUPPORTED = "language.not_supported_yet";

    // Types
    TYPE_MISMATCH = "type.mismatch";
    TYPE_INFINITE = "type.infinite";
    TYPE_TOO_LARGE = "type.too_large";
    TYPE_AMBIGUOUS = "type.ambiguous";
    TYPE_NOT_CALLABLE = "type.not_callable";
    TYPE_CAST_INVALID = "type.cast.invalid";
    TYPE_LITERAL_RANGE = "type.literal.out_of_range";
    TYPE_RECURSIVE_VALUE = "type.recursive_without_indirection";
    TYPE_POLYMORPHIC_RECURSION = "type.polymorphic_recursion";
    RETURN_CONFLICT = "language.inference.return_conflict";
    VALUE_RESTRICTION = "language.inference.value_restriction";
    RECORD_DUPLICATE_FIELD = "type.record.literal.duplicate_field";
    RECORD_SECOND_BASE = "type.record.literal.second_base";
    RECORD_MISSING_FIELD = "type.record.literal.missing_field";
    RECORD_UNKNOWN_FIELD = "type.record.literal.unknown_field";
    RECORD_ACCESS_UNKNOWN = "type.record.access.unknown_field";
    ARRAY_EMPTY = "type.array.literal.empty_requires_annotation";
    ARRAY_LENGTH = "type.array.literal.length_mismatch";
    ARRAY_ELEMENT = "type.array.literal.element_mismatch";
    ARRAY_CONFLICT = "type.array.literal.annotation_conflict";

    // Traits
    IMPL_MISSING = "typeclass.impl.missing";
    IMPL_ENDLESS = "typeclass.impl.endless";
    IMPL_DUPLICATE = "typeclass.impl.duplicate";
    IMPL_ORPHAN = "typeclass.impl.orphan";
    IMPL_INCOMPLETE = "typeclass.impl.incomplete";
    IMPL_SIGNATURE = "typeclass.impl.signature_mismatch";
    TRAIT_UNKNOWN = "typeclass.trait.unknown";
    TRAIT_AMBIGUOUS = "typeclass.ambiguous";
    DERIVE_INVALID = "typeclass.derive.invalid";

    // Patterns
    PATTERN_MISSING = "pattern.exhaustiveness.missing";
    PATTERN_UNREACHABLE = "pattern.unreachable_arm";
    PATTERN_DUPLICATE_BINDING = "pattern.binding.duplicate_name";
    PATTERN_OR_BINDINGS = "pattern.or.binding_mismatch";
    PATTERN_REFUTABLE = "pattern.refutable_binding";
    PATTERN_ARITY = "pattern.constructor.arity";
    PATTERN_MULTIPLE_REST = "pattern.slice.multiple_rest";
    PATTERN_SLICE_TYPE = "pattern.slice.type_mismatch";
    PATTERN_RANGE_INVERTED = "pattern.range.bound_inverted";
    PATTERN_RANGE_TYPE = "pattern.range.type_mismatch";
    PATTERN_REGEX_TARGET = "pattern.regex.unsupported_target";
    PATTERN_REGEX_SYNTAX = "pattern.regex.invalid_syntax";
    PATTERN_ACTIVE_CONTRACT = "pattern.active.return_contract_invalid";
    PATTERN_ACTIVE_EFFECT = "pattern.active.effect_violation";
    PATTERN_GUARD_IF = "pattern.guard.if_deprecated";

    // Effects
    EFFECT_PURITY = "effects.purity.violated";
    EFFECT_EXCEEDED = "effects.contract.exceeded";
    EFFECT_PANIC = "effects.contract.panic";
    EFFECT_ALLOC = "effects.contract.alloc";
    EFFECT_ASYNC = "effects.contract.async";
    EFFECT_BLOCKING = "effects.contract.blocking";
    EFFECT_TIMER = "effects.contract.timer";
    EFFECT_MUST_AWAIT = "effects.contract.must_await";
    EFFECT_STAGE_MISMATCH = "effects.contract.stage_mismatch";
    EFFECT_HANDLES_UNDEFINED = "effects.handles.undefined";
    EFFECT_HANDLES_ESCAPED = "effects.handles.escaped";
    EFFECT_HANDLES_UNUSED = "effects.handles.unused";
    EFFECT_UNSAFE_REQUIRED = "effects.unsafe.required";
    EFFECT_UNKNOWN_TAG = "effects.tag.unknown";
    EFFECT_UNHANDLED = "effects.unhandled";
    EFFECT_IN_TASK = "effects.task.unhandled";
    EFFECT_ARGUMENT_CONFLICT = "effects.argument.conflict";
    EFFECT_OPERATION_UNKNOWN = "effects.operation.unknown";
    EFFECT_GENERIC_ESCAPES = "effects.operation.generic_escapes";
    EFFECT_RESUME_REUSED = "effects.resume.reused";
    EFFECT_RESUME_ACTIVE = "effects.resume.active";
    EFFECT_HANDLER_MISSING_WITH = "effects.handler.missing_with";
    EFFECT_HANDLER_MISSING_OPERATION = "effects.handler.missing_operation";
    EFFECT_HANDLER_UNKNOWN_OPERATION = "effects.handler.unknown_operation";
    EFFECT_HANDLER_DUPLICATE = "effects.handler.duplicate_clause";
    EFFECT_HANDLER_ARITY = "effects.handler.arity";
    EFFECT_HANDLER_AMBIGUOUS = "effects.handler.ambiguous";
    EFFECT_HANDLER_INVALID = "effects.handler.invalid";
    EFFECT_UNDECLARED_IN_TRAIT = "effects.contract.undeclared_in_trait";

    // Conductors and exports
    CONDUCTOR_ID_DUPLICATE = "conductor.dsl_id.duplicate";
    CONDUCTOR_ID_UNKNOWN = "conductor.dsl_id.unknown";
    CONDUCTOR_SECTION_DUPLICATE = "conductor.section.duplicate";
    CONDUCTOR_TAIL_INVALID = "conductor.tail.invalid";
    CONDUCTOR_DEPENDENCY_CYCLE = "conductor.dependency.cycle";
    CONDUCTOR_CYCLE = "conductor.cycle";
    CONDUCTOR_CHANNEL_DUPLICATE = "conductor.channel.duplicate";
    CONDUCTOR_CHANNEL_CONFLICT = "conductor.channel.conflict";
    CONDUCTOR_PORT_UNKNOWN = "conductor.port.unknown";
    CONDUCTOR_MONITOR_EMPTY = "conductor.monitoring.empty";
    DSL_CAPABILITY_UNSATISFIED = "dsl.capability.unsatisfied";
    DSL_CAPABILITY_STAGE = "dsl.capability.stage_mismatch";
    DSL_CONDUCTOR_INCOMPATIBLE = "dsl.conductor.incompatible";
    EXPORT_NOT_A_DSL = "E1301";
    EXPORT_MANIFEST_EFFECTS = "E1302";
    EXPORT_EFFECTS = "E1303";
    EXPORT_INVALID = "E1304";
    EXPORT_EFFECT_VIOLATION = "dsl.export.effect_violation";
    MANIFEST_DSL_STAGE = "manifest.dsl.stage_mismatch";
    MANIFEST_DSL_PRERELEASE = "manifest.dsl.stage_prerelease_conflict";
    MANIFEST_DSL_EFFECTS = "manifest.dsl.effect_mismatch";
    MANIFEST_DSL_UNKNOWN_EFFECT = "manifest.dsl.unknown_effect";
    MANIFEST_DSL_CATEGORY = "manifest.dsl.category_mismatch";
    MANIFEST_DSL_CAPABILITY = "manifest.dsl.capability_missing";
    EFFECT_STAGE_OPT_IN = "effects.stage.missing_opt_in";
    STAGE_PROMOTED_UNCHECKED = "effects.stage.promote_without_checks";

    // Native code
    NATIVE_DISABLED = "native.unstable.disabled";
    NATIVE_INTRINSIC_SYNTAX = "native.intrinsic.invalid_syntax";
    NATIVE_INTRINSIC_EFFECT = "native.intrinsic.missing_effect";
    NATIVE_INTRINSIC_UNKNOWN = "native.intrinsic.unknown";
    NATIVE_INTRINSIC_SIGNATURE = "native.intrinsic.signature_mismatch";
    NATIVE_ASM_EFFECT = "native.inline_asm.missing_effect";
    NATIVE_ASM_CFG = "native.inline_asm.missing_cfg";
    NATIVE_ASM_UNSUPPORTED = "native.inline_asm.unsupported";
    NATIVE_ASM_CONSTRAINT = "native.inline_asm.invalid_constraint";
    NATIVE_IR_EFFECT = "native.llvm_ir.missing_effect";
    NATIVE_IR_CFG = "native.llvm_ir.missing_cfg";
    NATIVE_IR_UNSUPPORTED = "native.llvm_ir.unsupported";
    NATIVE_IR_VERIFY = "native.llvm_ir.verify_failed";
    NATIVE_IR_PLACEHOLDER = "native.llvm_ir.invalid_placeholder";

    // Foreign functions
    FFI_SIGNATURE_INVALID = "ffi.signature.invalid";
    FFI_REPR_INVALID = "ffi.repr.invalid";
    FFI_CONTRACT_SYMBOL = "ffi.contract.symbol_missing";
    FFI_CONTRACT_OWNERSHIP = "ffi.contract.ownership_mismatch";
    FFI_CONTRACT_ABI = "ffi.contract.unsupported_abi";
    FFI_VARARGS_ABI = "ffi.varargs.invalid_abi";
    FFI_VARARGS_FIXED = "ffi.varargs.missing_fixed_param";
    FFI_LIBRARY_MISSING = "ffi.library.missing";
    FFI_UNRELEASED = "ffi.ownership.unreleased";
    FFI_UNRECORDED = "ffi.ownership.unrecorded";
    FFI_CALL_FAILED = "ffi.call.failed";
    FFI_CALLBACK_DROPPED = "ffi.callback.dropped";
    FFI_CALLBACK_THREAD = "ffi.callback.wrong_thread";

    // Building and running
    LINK_TOOL_MISSING = "build.linker.missing";
    LINK_FAILED = "build.linker.failed";
    OUTPUT_UNWRITABLE = "build.output.unwritable";
    FOREIGN_SYMBOL_MISSING = "ffi.symbol.missing";
    BINDGEN_CONFIG = "ffi.bindgen.config_invalid";
    BINDGEN_PARSE = "ffi.bindgen.parse_failed";
    BINDGEN_TYPE = "ffi.bindgen.unknown_type";
    BINDGEN_GENERATE = "ffi.bindgen.generate_failed";
    BINDGEN_OVERWRITE = "ffi.bindgen.output_overwrite";
    BINDGEN_UNRESOLVED = "ffi.bindgen.unresolved_symbol";
    BINDGEN_MISSING = "ffi.bindgen.output_missing";
    BINDGEN_STALE = "ffi.bindgen.output_stale";
    FFI_BUILD_CONFIG = "ffi.build.config_invalid";
    FFI_BUILD_OUTSIDE = "ffi.build.path_outside_project";
    FFI_BUILD_FRAMEWORK = "ffi.build.framework_unsupported";
    FFI_BUILD_LINK = "ffi.build.link_failed";
    WIT_PARSE = "ffi.wit.parse_failed";
    WIT_WORLD = "ffi.wit.world_unknown";
    WIT_UNSUPPORTED = "ffi.wit.unsupported";
    WIT_GENERATE = "ffi.wit.generate_failed";
    WIT_OVERWRITE = "ffi.wit.output_overwrite";
    RUNTIME_OVERFLOW = "E7100";
    RUNTIME_CAST_RANGE = "E7101";
    RUNTIME_CAST_FLOAT = "E7102";
    RUNTIME_CAST_CHAR = "E7103";
    RUNTIME_CRASHED = "runtime.crashed";
    RUNTIME_STACK_OVERFLOW = "runtime.stack_overflow";
    RUNTIME_OUT_OF_MEMORY = "runtime.out_of_memory";
    RUNTIME_CAPABILITY_DENIED = "runtime.capability.denied";
    RELOAD_INCOMPATIBLE = "reload.incompatible";
    RELOAD_CHECK_SIGNATURE = "reload.check_signature";

    // Reported by the library's parsers about the texts of programs
    TEXT_UNCLOSED = "E1001";
    TEXT_GLUED_KEYWORD = "E1203";
    TEXT_CHAINED = "E2001";
    GRAMMAR_EMPTY_REPETITION = "E3001";
    GRAMMAR_LEFT_RECURSION = "E4001";
    TEXT_BIDI_CONTROL = "E6001";
    TEXT_NOT_NFC = "E6002";
    TEXT_CONFUSABLE = "W6101";
    TEXT_FAILED = "parser.failed";
    TEXT_REJECTED = "parser.rejected";
    TEXT_NESTING = "parser.nesting";
    RUN_STEPS = "parser.steps";
    STREAM_AWAIT = "parser.stream.await";
    STREAM_TOO_LONG = "parser.stream.too_long";
    STREAM_UNREADABLE = "parser.stream.unreadable";
    LAYOUT_BLOCK_MISSING = "lex.layout.block_missing";
    LAYOUT_INDENT = "lex.layout.indent";
    LAYOUT_MIXED_INDENT = "lex.layout.mixed_indent";
    OPERATORS_CONFLICT = "core.parse.opbuilder.level_conflict";
    OPERATORS_MISSING = "core.parse.opbuilder.fixity_missing";
}
