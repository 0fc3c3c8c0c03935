//! May the program be linked to another component? What an interface described in WIT leads to is foreign to the program, whoever is behind it.

use reml_capability::policy::{Power, Subject};

use crate::context::Cx;
use crate::gate;
use crate::panic::traced;
use crate::string::StrRef;

traced! {
    /// 0, or `DENIED`. A package `shop:catalog` is asked for as the library `wit.shop.catalog`, and an interface as a symbol of it.
    reml_component_link = component_link;
}

extern "C" fn component_link(cx: Cx, package: StrRef, interface: StrRef) -> i64 {
    let library = format!("wit.{}", package.as_str().replace(':', "."));
    let subject = Subject::Library { asked: &library, path: None, symbol: Some(interface.as_str()) };
    gate::ask(cx, Power::Ffi, &subject).err().unwrap_or(0)
}
