//! Makes a failing input small: leaves out lines, then characters, as long as it still fails in the same way.

/// The smallest input found that `fails`.
pub fn minimise(text: &str, mut fails: impl FnMut(&str) -> bool) -> String {
    let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let text = reduce(lines, &mut fails).concat();
    let words: Vec<String> = words(&text);
    let text = reduce(words, &mut fails).concat();
    let chars: Vec<String> = text.chars().map(String::from).collect();
    if chars.len() > 2_000 {
        return text;
    }
    reduce(chars, &mut fails).concat()
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
}

/// Leaves out runs of parts, shorter and shorter ones.
fn reduce(mut parts: Vec<String>, fails: &mut impl FnMut(&str) -> bool) -> Vec<String> {
    let mut size = (parts.len() / 2).max(1);
    let mut tries = 0;
    loop {
        let mut at = 0;
        let mut any = false;
        while at < parts.len() && tries < 4_000 {
            let end = (at + size).min(parts.len());
            let rest: String = parts[..at].iter().chain(&parts[end..]).map(String::as_str).collect();
            tries += 1;
            if fails(&rest) {
                parts.drain(at..end);
                any = true;
            } else {
                at = end;
            }
        }
        if size == 1 && !any || tries >= 4_000 {
            return parts;
        }
        if !any {
            size = (size / 2).max(1);
        }
    }
}
