//! Which machine code is generated for, and how hard Cranelift tries.

use std::sync::Arc;

use cranelift_codegen::isa::{CallConv, TargetFrontendConfig, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};

use crate::CodegenOptions;

/// A target machine with the settings that translation depends on.
#[derive(Clone)]
pub struct Target {
    pub isa: Arc<dyn TargetIsa>,
    pub release: bool,
    /// The runtime is linked into the same executable, so that calls reach it directly.
    pub near_runtime: bool,
    pub c_call_conv: CallConv,
    pub frontend_config: TargetFrontendConfig,
}

impl Target {
    /// The machine this process runs on, with all it can do.
    pub fn host(options: &CodegenOptions) -> Result<Target, String> {
        let builder = cranelift_native::builder().map_err(str::to_owned)?;
        Self::finish(builder, options, false)
    }

    /// The host's architecture, restricted to features that every machine of the last decade has.
    pub fn baseline(options: &CodegenOptions) -> Result<Target, String> {
        let mut builder = cranelift_native::builder_with_options(false).map_err(str::to_owned)?;
        if builder.triple().architecture.to_string() == "x86_64" {
            // `floor` and its like are instructions from SSE4.1 on.
            builder.enable("x86-64-v2").map_err(|problem| problem.to_string())?;
        }
        Self::finish(builder, options, true)
    }

    fn finish(
        builder: cranelift_codegen::isa::Builder,
        options: &CodegenOptions,
        executable: bool,
    ) -> Result<Target, String> {
        let mut flags = settings::builder();
        let mut set = |name: &str, value: &str| {
            flags.set(name, value).map_err(|problem| format!("Cranelift has no setting `{name}={value}`: {problem}"))
        };
        let yes_no = |yes: bool| if yes { "true" } else { "false" };
        set("is_pic", yes_no(executable))?;
        set("use_colocated_libcalls", yes_no(executable))?;
        // Backtraces follow the chain of frame pointers.
        set("preserve_frame_pointers", "true")?;
        // It holds the runtime's context.
        set("enable_pinned_reg", "true")?;
        // A frame larger than a page must not step over the stack's guard.
        set("enable_probestack", "true")?;
        set("probestack_strategy", "inline")?;
        set("unwind_info", "false")?;
        set("opt_level", if options.release { "speed" } else { "none" })?;
        set("regalloc_algorithm", if options.release { "backtracking" } else { "single_pass" })?;
        // Calls and loops start on their own cache line quarter.
        set("log2_min_function_alignment", "4")?;
        set("enable_verifier", yes_no(options.verify))?;
        let isa = builder.finish(settings::Flags::new(flags)).map_err(|problem| problem.to_string())?;
        Ok(Target {
            release: options.release,
            near_runtime: executable,
            c_call_conv: isa.default_call_conv(),
            frontend_config: isa.frontend_config(),
            isa,
        })
    }
}
