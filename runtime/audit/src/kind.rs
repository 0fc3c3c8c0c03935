//! What kinds of events are there, and which metadata must each have?
//!
//! One table answers both. A kind that is not in it is a [`EventKind::Custom`] one, the only way to log an event without required keys.

use std::borrow::Cow;
use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal [$($key:literal),*];)*) => {
        /// What happened. The name is what stands under `event.kind` on a line.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* $variant,)*
            /// A kind of the program's own. It has no required keys.
            Custom(Cow<'static, str>),
        }

        /// All kinds but the custom ones.
        pub const KNOWN: &[EventKind] = &[$(EventKind::$variant),*];

        impl EventKind {
            /// The name on a line.
            pub fn name(&self) -> &str {
                match self {
                    $(EventKind::$variant => $name,)*
                    EventKind::Custom(name) => name,
                }
            }

            /// The keys that the metadata of such an event must have, besides those that [`validate`](crate::validate) derives from
            /// other keys. Sorted.
            pub fn required(&self) -> &'static [&'static str] {
                match self {
                    $(EventKind::$variant => &[$($key),*],)*
                    EventKind::Custom(_) => &[],
                }
            }

            fn known(name: &str) -> Option<EventKind> {
                match name {
                    $($name => Some(EventKind::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A conductor or a command has begun.
    PipelineStarted = "pipeline_started" ["pipeline.dsl_id", "pipeline.id", "pipeline.node", "timestamp"];
    /// It has come to its end, with or without diagnostics.
    PipelineCompleted = "pipeline_completed"
        ["pipeline.count", "pipeline.dsl_id", "pipeline.id", "pipeline.node", "pipeline.outcome", "timestamp"];
    /// It was given up.
    PipelineFailed = "pipeline_failed"
        ["error.code", "error.message", "error.severity", "pipeline.dsl_id", "pipeline.id", "pipeline.node", "timestamp"];
    /// A capability has another stage than the one asked for.
    CapabilityMismatch = "capability_mismatch"
        ["capability.actual_stage", "capability.expected_stage", "capability.id", "dsl.node"];
    /// A contract of capabilities was checked, whatever the result.
    CapabilityCheck = "capability_check"
        ["capability.id", "capability.ids", "capability.result", "effect.actual_capabilities", "effect.capability",
         "effect.required_capabilities", "effect.stage.actual", "effect.stage.required"];
    CapabilityStagePromoted = "capability_stage_promoted" ["capability", "stage"];
    CapabilityRevoked = "capability.revoked" ["object_id", "object_type", "pid", "reason", "slot"];
    /// The gate has allowed or denied what a program wanted to do.
    GateDecision = "gate.decision" ["gate.decision", "gate.power", "gate.subject"];
    AsyncSupervisorRestarted = "async_supervisor_restarted"
        ["async.supervisor.actor", "async.supervisor.id", "async.supervisor.restart_count"];
    AsyncSupervisorExhausted = "async_supervisor_exhausted"
        ["async.supervisor.actor", "async.supervisor.budget", "async.supervisor.id", "async.supervisor.outcome",
         "async.supervisor.restart_count"];
    ConfigCompatChanged = "config_compat_changed"
        ["config.compatibility", "config.format", "config.profile", "config.source"];
    EnvMutation = "env_mutation" ["env.key", "env.operation", "env.scope", "requested_by"];
    Diagnostic = "diagnostic" ["event.domain"];
    SnapshotUpdated = "snapshot.updated" ["snapshot.hash", "snapshot.name"];
    DocDoctest = "doc.doctest" [];
    BridgeStageVerified = "bridge_stage_verified"
        ["audit.channel", "audit.policy.version", "bridge.id", "bridge.reload.diff", "bridge.reload.requested_by",
         "bridge.stage.actual", "bridge.stage.required", "pipeline.dsl_id", "pipeline.id"];
    BridgeReload = "bridge.reload"
        ["audit_id", "bridge.reload", "bridge.reload.diff", "bridge.reload.requested_by", "run_id"];
    BridgeRollback = "bridge.rollback"
        ["audit_id", "bridge.reload", "bridge.reload.diff", "bridge.reload.requested_by", "run_id"];
    BridgeStage = "bridge.stage" [];
    BridgePromote = "bridge.promote" [];
    BridgeRollout = "bridge.rollout" ["outcome"];
    BridgeSmokeTest = "bridge.smoke_test" [];
    /// The step of an API that has replaced a parser or a configuration.
    ParserReload = "parser.reload" ["audit_id", "diff"];
    /// What a command line has reloaded, or tried to.
    RemlReload = "reml.reload" ["audit_id", "status"];
    ParserStreamPending = "parser.stream.pending" ["reason", "resume_hint"];
    ParserStreamProgress = "parser.stream.progress" ["buffer_fill_ratio", "consumed_bytes", "lap"];
    ParserStreamError = "parser.stream.error" ["last_checkpoint", "stream.last_reason"];
    /// What is told is up to who starts the process.
    ProcessSpawned = "process.spawned" [];
    ProcessSpawn = "process.spawn" ["process.command", "process.exit_status", "process.pid"];
    ProcessWait = "process.wait" ["process.command", "process.exit_status", "process.pid"];
    ProcessKill = "process.kill" ["process.command", "process.exit_status", "process.pid"];
    SignalSend = "signal.send"
        ["signal.raw_code", "signal.sender", "signal.signal", "signal.source_pid", "signal.target_pid"];
    SignalWait = "signal.wait"
        ["signal.raw_code", "signal.sender", "signal.signal", "signal.source_pid", "signal.target_pid"];
    SignalRaise = "signal.raise"
        ["signal.raw_code", "signal.sender", "signal.signal", "signal.source_pid", "signal.target_pid"];
    SyscallCompleted = "syscall.completed" ["syscall.name", "syscall.number"];
    MemoryMap = "mmap" ["memory.file", "memory.flags", "memory.protection"];
    GcStats = "gc.stats" ["gc.stats"];
    FfiCall = "ffi.call" ["ffi"];
    /// A foreign function whose declaration states what it expects, before the program begins.
    FfiBridge = "ffi.bridge" ["bridge"];
    /// What C had given is given back, or was not.
    FfiPtrRelease = "ffi.ptr.release" ["ffi"];
    FfiBindgen = "ffi.bindgen" ["ffi.bindgen"];
    FfiBuild = "ffi.build" ["ffi.build"];
    NativeEmbed = "native.embed" ["embed.abi.version", "native.embed.entrypoint"];
    NetHttpRequest = "net.http.request" ["net.elapsed_ms", "net.method", "net.request_bytes", "net.url"];
    NetHttpResponse = "net.http.response" ["net.elapsed_ms", "net.response_bytes", "net.status", "net.url"];
    NetTcpConnect = "net.tcp.connect" ["net.elapsed_ms", "net.url"];
    NetTcpListen = "net.tcp.listen" ["net.listen_port", "net.url"];
    NetUdpBind = "net.udp.bind" ["net.listen_port", "net.url"];
    NetUdpSend = "net.udp.send" ["net.elapsed_ms", "net.peer", "net.request_bytes"];
    DslObjectDispatch = "dsl.object.dispatch"
        ["dsl.dispatch.cache", "dsl.dispatch.method", "dsl.id", "dsl.node", "dsl.object.class", "dsl.object.handle"];
    DslGcRoot = "dsl.gc.root" ["dsl.gc.action", "dsl.gc.heap", "dsl.gc.root_id", "dsl.id"];
    DslActorMailbox = "dsl.actor.mailbox"
        ["dsl.actor.id", "dsl.id", "dsl.mailbox.action", "dsl.mailbox.depth", "dsl.mailbox.id"];
    DslVmExecute = "dsl.vm.execute"
        ["dsl.id", "dsl.vm.frame.depth", "dsl.vm.id", "dsl.vm.instruction", "dsl.vm.pc"];
    /// The log itself: how far it has come.
    Checkpoint = "audit.checkpoint" ["audit.checkpoint.bytes", "audit.checkpoint.count", "audit.checkpoint.hash"];
    /// The log itself: what a crash had left unfinished was cut off.
    Recovered = "audit.recovered" ["audit.recovered.bytes", "audit.recovered.digest"];
    /// The log itself: an old file was removed because its time is over.
    Pruned = "audit.pruned" ["audit.pruned.file", "audit.pruned.hash", "audit.pruned.seq"];
    /// The log itself: events were refused while it could not be written.
    Refused = "audit.refused" ["audit.refused.count", "audit.refused.reason"];
    /// The log itself: events that the policy has kept out.
    PolicyDropped = "audit.policy" ["audit.policy.anonymized", "audit.policy.dropped"];
}

impl EventKind {
    /// The kind with this name; a custom one if there is no other.
    ///
    /// ```
    /// use reml_audit::EventKind;
    /// assert_eq!(EventKind::named("env_mutation"), EventKind::EnvMutation);
    /// assert_eq!(EventKind::named("shop.order"), EventKind::Custom("shop.order".into()));
    /// ```
    pub fn named(name: &str) -> EventKind {
        EventKind::known(name).unwrap_or_else(|| EventKind::Custom(Cow::Owned(name.to_owned())))
    }

    /// The key under which what is told about such an event is kept as a whole.
    pub fn payload_key(&self) -> &'static str {
        match self {
            EventKind::FfiCall | EventKind::FfiPtrRelease => "ffi",
            EventKind::FfiBridge => "bridge",
            EventKind::FfiBindgen => "ffi.bindgen",
            EventKind::FfiBuild => "ffi.build",
            EventKind::GcStats => "gc.stats",
            _ => "event",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_lead_back_to_their_kinds() {
        for kind in KNOWN {
            assert_eq!(EventKind::named(kind.name()), *kind);
        }
        let names: HashSet<_> = KNOWN.iter().map(EventKind::name).collect();
        assert_eq!(names.len(), KNOWN.len());
    }

    #[test]
    fn required_keys_are_sorted() {
        for kind in KNOWN {
            assert!(kind.required().is_sorted(), "{kind}");
        }
    }
}
