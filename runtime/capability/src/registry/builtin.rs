//! Which capabilities does the runtime bring along?

use std::sync::Arc;

use crate::descriptor::{CapabilityDescriptor, CapabilitySecurity, Permission};
use crate::handle::{Capability, CapabilityHandle, CapabilityKind as Kind};
use crate::id::CapabilityId;
use crate::platform::PlatformInfo;
use crate::security::SecurityState;
use crate::stage::Stage::{self, Beta, Experimental, Stable};

type Scope = &'static [&'static str];

/// `core.collections.ref`, which programs can also register themselves.
pub(super) const REF: (&str, Stage, Scope) = ("core.collections.ref", Stable, &["mem", "mut", "rc"]);

/// In the order of registration: what others depend on comes first.
const TABLE: &[(&str, Stage, Scope, Kind)] = &[
    ("core.io", Stable, &["io", "io.blocking"], Kind::Io),
    ("core.fs", Stable, &["io", "io.filesystem"], Kind::Io),
    ("io.fs.read", Stable, &["fs.read", "io"], Kind::Io),
    ("io.fs.write", Stable, &["fs.write", "io", "mem"], Kind::Io),
    ("fs.permissions.read", Stable, &["io", "security"], Kind::Io),
    ("fs.permissions.modify", Stable, &["io", "security"], Kind::Io),
    ("fs.symlink.query", Stable, &["fs.symlink", "io"], Kind::Io),
    ("fs.symlink.modify", Stable, &["fs.symlink", "io", "security"], Kind::Io),
    ("fs.watcher.native", Stable, &["io", "watcher"], Kind::Io),
    ("fs.watcher.recursive", Stable, &["io", "watcher"], Kind::Io),
    ("watcher.resource_limits", Stable, &["io", "watcher"], Kind::Io),
    ("memory.buffered_io", Stable, &["mem"], Kind::Memory),
    ("security.fs.policy", Stable, &["security"], Kind::Security),
    ("core.security", Stable, &["audit", "security"], Kind::Security),
    ("core.env.read", Stable, &["io"], Kind::Io),
    ("core.env.write", Stable, &["io", "security"], Kind::Io),
    ("net.http.client", Experimental, &["io", "net"], Kind::Io),
    ("net.tcp.connect", Experimental, &["io", "net"], Kind::Io),
    ("net.tcp.listen", Experimental, &["io", "net"], Kind::Io),
    ("net.udp.bind", Experimental, &["io", "net"], Kind::Io),
    ("net.udp.send", Experimental, &["io", "net"], Kind::Io),
    ("core.time.clock", Stable, &["time"], Kind::RealTime),
    ("core.time.timezone.lookup", Beta, &["time"], Kind::RealTime),
    ("core.time.timezone.local", Beta, &["time"], Kind::RealTime),
    ("core.random", Stable, &["io"], Kind::Io),
    ("core.regex", Stable, &["regex"], Kind::Native),
    ("core.audit", Stable, &["audit"], Kind::Audit),
    ("core.diagnostics", Stable, &["audit", "runtime"], Kind::Audit),
    ("core.collections.audit", Stable, &["audit", "mem"], Kind::Audit),
    (REF.0, REF.1, REF.2, Kind::Collections),
    ("core.collector.list", Stable, &["mem"], Kind::Collections),
    ("core.collector.set", Stable, &["mem"], Kind::Collections),
    ("core.collector.vec", Beta, &["mem", "mut"], Kind::Collections),
    ("core.collector.map", Beta, &["mem"], Kind::Collections),
    ("core.collector.string", Beta, &["mem"], Kind::Collections),
    ("core.collector.table", Beta, &["mem", "mut"], Kind::Collections),
    ("core.iter.core", Stable, &["mem"], Kind::Collections),
    ("core.iter.array", Stable, &["mem"], Kind::Collections),
    ("core.iterator.collect", Stable, &["mem"], Kind::Collections),
    ("core.metrics", Stable, &["audit"], Kind::Metrics),
    ("metrics.emit", Stable, &["audit"], Kind::Metrics),
    ("core.runtime", Stable, &["runtime"], Kind::Native),
    ("core.platform", Stable, &["runtime"], Kind::Native),
    ("core.runtime.bridge", Stable, &["audit", "runtime"], Kind::Audit),
    ("native.intrinsic", Experimental, &["audit", "native", "unsafe"], Kind::Native),
    ("native.embed", Experimental, &["audit", "native", "unsafe"], Kind::Native),
    ("native.fn_ptr", Beta, &["audit", "ffi", "unsafe"], Kind::Native),
    ("native.inline_asm", Experimental, &["audit", "native", "unsafe"], Kind::Native),
    ("native.llvm_ir", Experimental, &["audit", "native", "unsafe"], Kind::Native),
    ("core.async", Stable, &["audit", "io.async", "io.timer"], Kind::Async),
    ("core.async.scheduler", Stable, &["audit", "io.async", "io.timer"], Kind::Async),
    ("runtime.async", Stable, &["audit", "io.async", "io.timer"], Kind::Async),
    ("async.stream", Beta, &["audit", "io.async"], Kind::Async),
    ("async.supervisor", Experimental, &["audit", "io.async"], Kind::Async),
    ("console", Beta, &["io"], Kind::Io),
    ("core.system", Experimental, &["audit", "memory", "security", "syscall", "unsafe"], Kind::System),
    ("core.memory", Experimental, &["audit", "memory", "process", "security", "syscall", "unsafe"], Kind::Memory),
    ("core.signal", Experimental, &["audit", "io.blocking", "process", "security", "signal", "unsafe"], Kind::Signal),
    (
        "core.process",
        Experimental,
        &["audit", "hardware", "io.blocking", "process", "security", "signal", "thread"],
        Kind::Process,
    ),
    ("core.hardware", Experimental, &["audit", "hardware", "security", "thread", "timing", "unsafe"], Kind::Hardware),
    ("core.realtime", Experimental, &["audit", "io.timer", "memory", "realtime", "security", "thread"], Kind::RealTime),
    ("runtime.ffi.default", Beta, &["audit", "ffi", "security"], Kind::Ffi),
    ("ffi.bridge", Beta, &["audit", "ffi", "security"], Kind::Ffi),
    ("foreign-call", Experimental, &["audit", "ffi", "security"], Kind::Ffi),
];

/// What a subsystem stands on.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("core.memory", &["core.system"]),
    ("core.signal", &["core.system"]),
    ("core.process", &["core.system", "core.memory", "core.signal"]),
    ("core.realtime", &["core.system", "core.memory"]),
];

pub(super) fn handles(security: &Arc<SecurityState>) -> impl Iterator<Item = CapabilityHandle> {
    TABLE.iter().map(|&(id, stage, scope, kind)| {
        let name = |id: &str| CapabilityId::new(id).unwrap_or_else(|error| unreachable!("{error}"));
        let descriptor = CapabilityDescriptor::new(name(id), stage, scope.iter().copied());
        let mut conditions = CapabilitySecurity::open(descriptor.effect_scope.clone());
        if kind == Kind::Ffi {
            conditions.audit_required = true;
            conditions.permissions.insert(Permission::Runtime { operation: "VerifyAbi".to_owned() });
        }
        let mut capability = Capability::new(descriptor).with_security(conditions);
        capability = match id {
            "core.security" => capability.with_api(Arc::clone(security)),
            "core.platform" => capability.with_api(Arc::new(PlatformInfo::host())),
            _ => capability,
        };
        let needed = DEPENDENCIES.iter().find(|(of, _)| *of == id).map_or(&[][..], |(_, needed)| needed);
        CapabilityHandle::new(kind, needed.iter().fold(capability, |built, needed| built.depends_on(name(needed))))
    })
}
