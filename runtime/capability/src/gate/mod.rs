//! The one gate: every deed that needs a power is asked for here, decided, counted and recorded.
//!
//! What is allowed by default alone is counted, but not recorded: nobody has granted it, so nobody is to account for it, and a program
//! that looks at the clock a million times would bury what matters. Denials are always recorded.
//!
//! A process has one gate, [`install`]ed when it starts. Until then [`request`] allows everything and records nothing,
//! as in a program that was built without a policy. The program can put further policies into force, which only take
//! away: what happens is what all of them allow.

mod denial;
mod suggest;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use reml_audit::{AuditError, EventKind, Field, Record, Sink};

use crate::policy::{Decision, Mode, Policy, Power, Source, Subject};
pub use denial::{Denial, Grantor, Reason};
pub use suggest::{Asked, Suggestion, asked, suggest};

/// The place in the Reml source that asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin<'a> {
    pub file: &'a str,
    pub line: u32,
    pub column: u32,
    /// With its module: `app.main`.
    pub function: &'a str,
}

/// How often a power was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Count {
    pub allowed: u64,
    /// Also what happened because the policy only reports.
    pub denied: u64,
    /// What the sink did not take.
    pub unrecorded: u64,
}

/// On a cache line of its own, so that threads that use different powers do not wait for each other.
#[derive(Default)]
#[repr(align(64))]
struct Counters {
    allowed: AtomicU64,
    denied: AtomicU64,
    unrecorded: AtomicU64,
}

/// Decides and records. Can be asked from any thread.
pub struct Gate {
    /// The one that the run began with, then those that the program has put into force.
    policies: ArcSwap<Vec<Arc<Policy>>>,
    grantor: Grantor,
    sink: Option<Arc<dyn Sink>>,
    counters: [Counters; Power::COUNT],
}

thread_local! {
    /// Memory for the texts of a record, kept from one to the next.
    static TEXTS: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Gate {
    /// Without a sink nothing is recorded.
    pub fn new(policy: Policy, sink: Option<Arc<dyn Sink>>) -> Gate {
        let policies = ArcSwap::from_pointee(vec![Arc::new(policy)]);
        Gate { policies, grantor: Grantor::default(), sink, counters: Default::default() }
    }

    /// Denials say that this one could grant what was asked for.
    pub fn with_grantor(self, grantor: Grantor) -> Gate {
        Gate { grantor, ..self }
    }

    /// May the program do this, now? The answer is recorded before it is given, unless it is yes by default.
    ///
    /// # Errors
    ///
    /// The denial, if not. Then it must not be done.
    pub fn request(&self, power: Power, subject: &Subject<'_>, origin: &Origin<'_>) -> Result<(), Denial> {
        let policies = self.policies.load();
        // What any policy denies is denied.
        let (mut deciding, mut decided) = (0, Outcome::of(&policies[0], power, subject));
        for (index, policy) in policies.iter().enumerate().skip(1) {
            let outcome = Outcome::of(policy, power, subject);
            if outcome.word > decided.word {
                (deciding, decided) = (index, outcome);
            }
        }
        let counters = &self.counters[power as usize];
        if let Some(sink) = &self.sink
            && !by_default(&decided.decision)
            && let Err(error) = record(&**sink, power, subject, origin, &policies[deciding], &decided)
        {
            counters.unrecorded.fetch_add(1, Ordering::Relaxed);
            if policies.iter().any(|policy| policy.requires_audit()) {
                counters.denied.fetch_add(1, Ordering::Relaxed);
                return Err(Denial::new(power, subject, origin, Reason::Unrecorded(error), self.grantor));
            }
        }
        let count = if decided.word == Word::Allowed { &counters.allowed } else { &counters.denied };
        count.fetch_add(1, Ordering::Relaxed);
        if decided.word != Word::Denied {
            return Ok(());
        }
        let reason = match decided.decision {
            Decision::Denied(rule) => Reason::Rule(rule.clone()),
            Decision::Malformed => Reason::Malformed,
            Decision::TooOften { per_second } => Reason::TooOften { per_second },
            Decision::Ungranted if deciding > 0 => Reason::Withheld,
            Decision::Ungranted | Decision::Allowed(_) => Reason::Ungranted,
        };
        Err(Denial::new(power, subject, origin, reason, self.grantor))
    }

    /// Would a request be granted? Nothing is counted or recorded: this is for what has to be known before anything is done.
    pub fn permits(&self, power: Power, subject: &Subject<'_>) -> bool {
        self.policies.load().iter().all(|policy| policy.permits(power, subject))
    }

    /// Puts a further policy into force. It cannot be taken back, and takes away what it does not allow.
    pub fn enforce(&self, policy: Policy) {
        let policy = Arc::new(policy);
        self.policies.rcu(|policies| {
            let mut policies = Vec::clone(policies);
            policies.push(Arc::clone(&policy));
            policies
        });
    }

    /// The policies in force: the one that the run began with, then those of the program.
    pub fn policies(&self) -> Arc<Vec<Arc<Policy>>> {
        self.policies.load_full()
    }

    pub fn sink(&self) -> Option<&Arc<dyn Sink>> {
        self.sink.as_ref()
    }

    /// How often each power was asked for, in the order of [`Power::all`].
    pub fn counts(&self) -> impl Iterator<Item = (Power, Count)> {
        Power::all().zip(&self.counters).map(|(power, counters)| {
            let count = Count {
                allowed: counters.allowed.load(Ordering::Relaxed),
                denied: counters.denied.load(Ordering::Relaxed),
                unrecorded: counters.unrecorded.load(Ordering::Relaxed),
            };
            (power, count)
        })
    }
}

fn by_default(decision: &Decision<'_>) -> bool {
    matches!(decision, Decision::Allowed(rule) if matches!(rule.source, Source::Default(_)))
}

/// What becomes of a request; of several policies the last of these counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Word {
    Allowed,
    /// It would be denied, and happens.
    Reported,
    Denied,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Allowed => "allowed",
            Word::Reported => "reported",
            Word::Denied => "denied",
        }
    }
}

/// What a policy says.
struct Outcome<'p> {
    decision: Decision<'p>,
    word: Word,
}

impl<'p> Outcome<'p> {
    fn of(policy: &'p Policy, power: Power, subject: &Subject<'_>) -> Outcome<'p> {
        let decision = policy.decide(power, subject);
        let word = match (decision.is_allowed(), policy.mode()) {
            (true, _) => Word::Allowed,
            (false, Mode::Report) => Word::Reported,
            (false, Mode::Enforce) => Word::Denied,
        };
        Outcome { decision, word }
    }
}

/// Gives the decision to the sink. Memory is only allocated when the texts are longer than any before on this thread.
fn record(
    sink: &dyn Sink,
    power: Power,
    subject: &Subject<'_>,
    origin: &Origin<'_>,
    policy: &Policy,
    outcome: &Outcome<'_>,
) -> Result<(), AuditError> {
    let give = |texts: &mut String| {
        texts.clear();
        let _ = write!(texts, "{subject}");
        let split = texts.len();
        let rule = outcome.decision.rule();
        if let Some(rule) = rule {
            let _ = write!(texts, "{}", rule.source);
        }
        let (subject, source) = texts.split_at(split);
        sink.record(&Record {
            kind: &EventKind::GateDecision,
            capability: Some(power.capability()),
            fields: &[
                ("event.domain", Field::Text("runtime.capability")),
                ("gate.column", Field::Int(origin.column.into())),
                ("gate.decision", Field::Text(outcome.word.text())),
                ("gate.file", Field::Text(origin.file)),
                ("gate.function", Field::Text(origin.function)),
                ("gate.line", Field::Int(origin.line.into())),
                ("gate.power", Field::Text(power.key())),
                ("gate.rule", rule.map_or(Field::Null, |rule| Field::Text(rule.pattern.text()))),
                ("gate.source", rule.map_or(Field::Null, |_| Field::Text(source))),
                ("gate.subject", Field::Text(subject)),
                ("policy_digest", Field::Text(policy.digest())),
            ],
        })
    };
    // Not there for a sink that asks the gate itself, nor while the thread ends.
    let kept = TEXTS.try_with(|texts| texts.try_borrow_mut().ok().map(|mut texts| give(&mut texts)));
    kept.ok().flatten().unwrap_or_else(|| give(&mut String::new()))
}

static CURRENT: OnceLock<Gate> = OnceLock::new();

/// The process has a gate already, and keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlreadyInstalled;

impl std::fmt::Display for AlreadyInstalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the process has a gate already; policies can be added to it, but it cannot be replaced")
    }
}

impl std::error::Error for AlreadyInstalled {}

/// Makes this the gate of the process.
///
/// # Errors
///
/// There is one already.
pub fn install(gate: Gate) -> Result<(), AlreadyInstalled> {
    CURRENT.set(gate).map_err(|_| AlreadyInstalled)
}

/// The gate of the process.
pub fn current() -> Option<&'static Gate> {
    CURRENT.get()
}

/// Asks the gate of the process; allows everything if there is none.
///
/// # Errors
///
/// As [`Gate::request`].
#[inline]
pub fn request(power: Power, subject: &Subject<'_>, origin: &Origin<'_>) -> Result<(), Denial> {
    current().map_or(Ok(()), |gate| gate.request(power, subject, origin))
}
