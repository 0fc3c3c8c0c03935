//! Could this text be taken for another one?
//!
//! By the tables of UTS #39.

use unicode_security::MixedScript;
use unicode_security::confusable_detection::skeleton;

use crate::context::Cx;
use crate::string::{StrOwned, StrRef, new_str};

/// What texts that look alike have in common. Only to be compared: it is not readable.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_skeleton(cx: Cx, text: StrRef) -> StrOwned {
    new_str(cx, &skeleton(text.as_str()).collect::<String>())
}

/// Are there letters of scripts that are not written together?
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_mixes_scripts(_: Cx, text: StrRef) -> bool {
    let content = text.as_str();
    !content.is_ascii() && !content.is_single_script()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap::live_objects;

    #[test]
    fn look_alikes() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let texts = ["paypal", "р\u{430}ypal", "日本のテレビ", "Ω"].map(|text| new_str(cx, text));
        assert_eq!(texts.each_ref().map(|text| reml_str_mixes_scripts(cx, text.borrow())), [false, true, false, false]);
        let skeletons = texts.each_ref().map(|text| reml_str_skeleton(cx, text.borrow()));
        assert_eq!(skeletons[0].borrow().as_str(), skeletons[1].borrow().as_str());
        for text in texts.into_iter().chain(skeletons) {
            text.drop(cx);
        }
        assert_eq!(live_objects(cx), 0);
    }
}
