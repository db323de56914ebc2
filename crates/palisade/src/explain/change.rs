//! The smallest change that would turn a verdict, and what else it turns.

use std::fmt::Write as _;

use palisade_model::verdict::Direction;
use palisade_policy::change::{Change, Edit, EditAction, Effects};
use palisade_policy::compare::Word;
use palisade_policy::explain::Explanation;

use crate::wrapped::wrap;

/// So many changes are shown, and beyond them likely slips of the pen; JSON has all that were found.
const SHOWN: usize = 2;
/// So many lines of other links are shown.
const SHOWN_LINKS: usize = 6;

/// Renders the changes below the two ends.
pub(super) fn render(text: &mut String, explanation: &Explanation) {
    let changes = &explanation.changes;
    let Some(wanted) = changes.to else { return };
    let word = match wanted {
        Word::Allowed => "opens",
        Word::Denied | Word::Undecided => "closes",
    };
    if changes.found.is_empty() {
        let _ = writeln!(text, "\nno change of one object or field at an end {word} it ({} tried)", changes.tried);
        return;
    }
    // The object that is ready to apply is always shown.
    let is_likely = |change: &Change| change.edits.iter().any(|edit| edit.note.is_some());
    let is_shown = |position: usize, change: &Change| position < SHOWN || is_consent(change) || is_likely(change);
    let shown = changes.found.iter().enumerate().filter(|(position, change)| is_shown(*position, change));
    for (place, (_, change)) in shown.enumerate() {
        let lead = match place {
            0 => format!("the smallest change that {word} it"),
            _ => "or".to_owned(),
        };
        let _ = writeln!(text, "\n{lead}");
        let is_followed = |position: usize| {
            let next = change.edits.get(position + 1);
            next.is_some_and(|next| matches!(next.action, EditAction::Create { .. }))
        };
        for (position, edit) in change.edits.iter().enumerate() {
            render_edit(text, edit, explanation, position > 0, is_followed(position));
        }
        render_effects(text, change);
    }
}

fn is_consent(change: &Change) -> bool {
    change.edits.iter().all(|edit| matches!(edit.action, EditAction::Create { .. }))
}

fn render_edit(text: &mut String, edit: &Edit, explanation: &Explanation, is_further: bool, is_followed: bool) {
    let also = if is_further { "and also " } else { "" };
    if let EditAction::Create { yaml } = &edit.action {
        let namespace = edit.object.namespace.as_deref().unwrap_or_default();
        let consent = explanation.consents.iter().find(|consent| consent.object == edit.object);
        let opens: Vec<&str> =
            consent.iter().flat_map(|consent| &consent.opens).map(|direction| end_word(*direction)).collect();
        let what = match opens[..] {
            [] => String::new(),
            _ => format!(", which opens the {} end", opens.join(" and the ")),
        };
        let line = format!("{also}an object of namespace `{namespace}`{what}. Ready to apply:");
        wrap(text, &line, 2, 2);
        text.push('\n');
        for line in yaml.lines() {
            let _ = writeln!(text, "    {line}");
        }
        if is_followed {
            let _ = writeln!(text, "    ---");
        }
        return;
    }
    let field = if edit.field.is_empty() { String::new() } else { format!(" {}", edit.field) };
    let place = edit.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    wrap(text, &format!("{also}{}{field}{place}", edit.object), 2, 4);
    match &edit.action {
        EditAction::Add { value } => wrap(text, &format!("add      {value}"), 4, 13),
        EditAction::Insert { value } => wrap(text, &format!("before   {value}"), 4, 13),
        EditAction::Remove { was } => wrap(text, &format!("remove   {was}"), 4, 13),
        EditAction::Replace { was, becomes } => {
            wrap(text, &format!("is       {was}"), 4, 13);
            wrap(text, &format!("becomes  {becomes}"), 4, 13);
        }
        EditAction::Create { .. } => {}
    }
    if let Some(note) = &edit.note {
        wrap(text, &format!("({note})"), 4, 5);
    }
}

fn render_effects(text: &mut String, change: &Change) {
    for (word, effects) in [("opens", &change.also_opens), ("closes", &change.also_closes)] {
        let lines = effects.by_workload();
        if lines.is_empty() {
            continue;
        }
        let links = if lines.len() == 1 { "1 link" } else { &format!("{} links", lines.len()) };
        let at_least = if effects.is_cut { "at least " } else { "" };
        let _ = writeln!(text, "  also {word} {at_least}{links} of workloads");
        for line in lines.iter().take(SHOWN_LINKS) {
            wrap(text, line, 4, 6);
        }
        if lines.len() > SHOWN_LINKS {
            let _ = writeln!(text, "    and {} more", lines.len() - SHOWN_LINKS);
        }
    }
    let is_nothing = |effects: &Effects| effects.links.is_empty();
    if is_nothing(&change.also_opens) && is_nothing(&change.also_closes) {
        let found = if change.also_opens.is_cut {
            "nothing else was found to turn, not all was looked at"
        } else {
            "turns no other link"
        };
        let _ = writeln!(text, "  {found}");
    }
}

fn end_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "sender's",
        Direction::Ingress => "receiver's",
    }
}
