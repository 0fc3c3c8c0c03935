//! Where the compiler's own vocabulary is: library definitions found by their canonical paths.

use crate::cx::*;
use crate::typed::{EffectId, FnId, TypeDefId};

/// Functions of `Core.Lang`, as `typed::LangItems::fns` names them.
const LANG_FNS: &[&str] = &[
    "array_append",
    "array_get_unchecked",
    "assert_failed",
    "bool_to_str",
    "initialised",
    "char_to_str",
    "duration_from",
    "c_text",
    "c_text_is_whole",
    "eprint_str",
    "eprintln_str",
    "float_pow",
    "float_to_str",
    "format_exp",
    "format_fixed",
    "format_general",
    "format_pad",
    "format_plus",
    "format_radix",
    "format_zero",
    "hash_mix",
    "int_pow",
    "int_to_str",
    "iter_next",
    "list_append",
    "list_from_array",
    "machine_cntfrq",
    "machine_cntvct",
    "machine_cpuid",
    "machine_dmb",
    "machine_dsb",
    "machine_isb",
    "machine_lfence",
    "machine_mfence",
    "machine_pause",
    "machine_rdrand",
    "machine_rdtsc",
    "machine_rdtscp",
    "machine_sfence",
    "machine_yield",
    "main_error",
    "panic_str",
    "print_str",
    "println_str",
    "regex_group",
    "regex_group_bytes",
    "regex_match",
    "regex_match_bytes",
    "show_char",
    "show_str",
    "str_compare",
    "str_concat",
    "str_eq",
    "str_hash",
    "uint_to_str",
];

/// Functions of modules that not every program needs, in the same table.
const OPTIONAL_FNS: &[(&str, &str)] = &[
    ("Core.Data.Json", "json_array"),
    ("Core.Data.Json", "json_object"),
    ("Core.Async.Futures", "async_block"),
    ("Core.Async.Futures", "await_future"),
    ("Core.Async.Tasks", "block_on"),
    ("Core.Async.Tasks", "spawn"),
    ("Core.Unsafe.Foreign", "foreign_lent"),
    ("Core.Unsafe.Foreign", "foreign_given"),
    ("Core.Unsafe.Foreign", "foreign_owned"),
    ("Core.Unsafe.Foreign", "foreign_owned_or_none"),
    ("Core.Unsafe.Foreign", "foreign_borrowed"),
    ("Core.Unsafe.Foreign", "foreign_borrowed_or_none"),
];

impl<'a> Checker<'a> {
    pub fn find_lang_items(&mut self) {
        self.lang.option = self.lang_type(&["Core.Option", "Core.Prelude"], "Option");
        self.lang.result = self.lang_type(&["Core.Result", "Core.Prelude"], "Result");
        self.lang.list = self.lang_type(&["Core.List", "Core.Prelude"], "List");
        self.t.list_def = self.lang.list;
        self.lang.ordering = self.lang_type(&["Core.Ops", "Core.Ordering", "Core.Prelude"], "Ordering");
        self.lang.range = self.lang_type(&["Core.Range", "Core.Iter", "Core.Ops", "Core.Prelude"], "Range");
        self.lang.json = self.lang_type(&["Core.Json", "Core.Data.Json", "Core.Prelude"], "Json");
        self.lang.duration = self.lang_type(&["Core.Time", "Core.Duration", "Core.Prelude"], "Duration");
        self.lang_parser = self.lang_type(&["Core.Parse"], "Parser");
        for &name in LangTraits::NAMES {
            let symbol = self.names.intern(name);
            let homes = ["Core.Ops", "Core.Iter", "Core.Json", "Core.Data.Json", "Core.Unsafe.Ptr", "Core.Prelude"];
            for home in homes {
                let Some(&module) = self.module_names.get(home) else { continue };
                if let Some(TypeItem::Trait(id)) = self.modules[module].types.get(&symbol).map(|e| e.item) {
                    self.lang.traits.insert(name, id);
                    self.lang_traits.set(name, id);
                    break;
                }
            }
        }
        self.lang.future = self.lang_type(&["Core.Async.Futures"], "Future");
        self.lang.task = self.lang_type(&["Core.Async.Tasks"], "Task");
        let scoped = ["ForeignStub", "ForeignPtr", "RootGuard"];
        let homes = ["Core.Unsafe.Ptr", "Core.Unsafe.Foreign", "Core.Unsafe.Root"];
        self.lang.scoped = scoped.iter().filter_map(|name| self.lang_type(&homes, name)).collect();
        self.lang.foreign_ptr = self.lang_type(&["Core.Unsafe.Foreign"], "ForeignPtr");
        self.lang_exit = self.lang_effect("Core.Lang", "Exit");
        self.lang_async = self.lang_effect("Core.Async.Futures", "Async");
        let fns = LANG_FNS.iter().map(|&name| ("Core.Lang", name)).chain(OPTIONAL_FNS.iter().copied());
        for (home, name) in fns {
            let symbol = self.names.intern(name);
            if let Some(&module) = self.module_names.get(home)
                && let Some(Value::Fn(id)) = self.modules[module].values.get(&symbol).map(|e| e.item)
            {
                self.lang.fns.insert(name, id);
            }
        }
    }

    fn lang_effect(&mut self, home: &str, name: &str) -> Option<EffectId> {
        let symbol = self.names.intern(name);
        let module = *self.module_names.get(home)?;
        match self.modules[module].types.get(&symbol)?.item {
            TypeItem::Effect(id) => Some(id),
            _ => None,
        }
    }

    fn lang_type(&mut self, homes: &[&str], name: &str) -> Option<TypeDefId> {
        let symbol = self.names.intern(name);
        homes.iter().find_map(|&home| {
            let module = *self.module_names.get(home)?;
            match self.modules[module].types.get(&symbol)?.item {
                TypeItem::Adt(def) => Some(def),
                _ => None,
            }
        })
    }

    pub fn lang_fn(&self, name: &str) -> Option<FnId> {
        self.lang.fns.get(name).copied()
    }
}
