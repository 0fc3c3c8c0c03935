//! How is what a message quotes kept short?

/// Quotations of more characters lose their middle.
const WIDTH: usize = 160;

/// The message with each part in backquotes no longer than it can be read: a token may be as long as its file.
pub(crate) fn shortened(message: String) -> String {
    if message.len() <= WIDTH {
        return message;
    }
    let parts = message.split('`').enumerate();
    parts.fold(String::new(), |mut shorter, (index, part)| {
        if index > 0 {
            shorter.push('`');
        }
        match index % 2 {
            0 => shorter.push_str(part),
            _ => push_ends(&mut shorter, part),
        }
        shorter
    })
}

/// Both ends of a text, or all of it.
fn push_ends(into: &mut String, text: &str) {
    let at = |from: usize| text.char_indices().nth(from).map(|(index, _)| index);
    if at(WIDTH).is_none() {
        into.push_str(text);
        return;
    }
    let side = WIDTH / 2;
    let head = at(side).unwrap_or(text.len());
    let tail = text.char_indices().nth_back(side - 2).map_or(0, |(index, _)| index);
    into.push_str(&text[..head]);
    into.push('…');
    into.push_str(&text[tail..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_quotations_are_shortened() {
        let prose = "word ".repeat(100);
        assert_eq!(shortened(prose.clone()), prose);
        let fits = format!("there is no `{}` in scope", "ä".repeat(WIDTH));
        assert_eq!(shortened(fits.clone()), fits);
        let (first, last) = ("a".repeat(WIDTH / 2), "z".repeat(WIDTH / 2 - 1));
        let long = format!("`x` is not `{first}{}{last}`, but `y`", "-".repeat(1_000_000));
        assert_eq!(shortened(long), format!("`x` is not `{first}…{last}`, but `y`"));
    }
}
