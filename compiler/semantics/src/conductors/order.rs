//! In which order are the definitions of a conductor made, and which conductors run each other in a circle?

use reml_diagnostics::{Diagnostic, Span, codes};

use super::Plan;
use crate::cx::*;
use crate::infer::dependencies::components;

impl<'a> Checker<'a> {
    /// Each definition after those it depends on or embeds, else as written. Cycles are reported.
    pub(super) fn definition_order(&mut self, plan: &Plan<'a>) -> Vec<usize> {
        let edges: Vec<Vec<usize>> = plan
            .dsls
            .iter()
            .map(|dsl| dsl.dependencies.iter().chain(&dsl.embedded).map(|&(other, _)| other).collect())
            .collect();
        let mut order = Vec::with_capacity(plan.dsls.len());
        for group in components(&edges) {
            if group.len() > 1 {
                self.report_dependency_cycle(plan, &group);
            }
            order.extend(group);
        }
        order
    }

    /// The shortest way round from the first definition of the group.
    fn report_dependency_cycle(&mut self, plan: &Plan<'a>, group: &[usize]) {
        let start = group[0];
        let needs = |at: usize| {
            let dsl = &plan.dsls[at];
            dsl.dependencies.iter().chain(&dsl.embedded).filter(|(other, _)| group.contains(other))
        };
        // How each definition was reached: from which one, and where that says so.
        let mut reached: Vec<Option<(usize, Span)>> = vec![None; plan.dsls.len()];
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for &(other, span) in needs(at) {
                if reached[other].is_none() {
                    reached[other] = Some((at, span));
                    queue.push_back(other);
                }
            }
        }
        let mut steps: Vec<(usize, Span)> = Vec::new();
        let mut at = start;
        while let Some((before, span)) = reached[at] {
            steps.push((before, span));
            at = before;
            if at == start {
                break;
            }
        }
        steps.reverse();
        let mut names: Vec<&str> = steps.iter().map(|&(dsl, _)| self.names.text(plan.dsls[dsl].id.name)).collect();
        names.push(names[0]);
        let mut diagnostic = Diagnostic::error(
            codes::CONDUCTOR_DEPENDENCY_CYCLE,
            steps[0].1,
            format!("`{}` has to be made before itself: `{}`", names[0], names.join("` needs `")),
        );
        for (step, (_, span)) in steps.iter().enumerate().skip(1) {
            diagnostic = diagnostic.with_label(*span, format!("`{}` needs `{}`", names[step], names[step + 1]));
        }
        self.report(diagnostic.with_help("remove one of the dependencies"));
    }
}
