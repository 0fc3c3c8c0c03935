//! Which Reml function, and which place in its source, does a machine address belong to?
//!
//! Tables come from the code generator ([`FrameTable`]) and are searched as they are, without sorting or allocating: that
//! only happens when a program dies, also on a full stack. Frames are found through the chain of frame pointers,
//! which all compiled code keeps.

use std::fmt::{self, Write};

use crate::abi::{FrameFunction, FrameSite, FrameTable, FrameText, NO_FILE};
use crate::stack::Bounds;

/// Frames printed from the innermost end of a deep stack, and from its outermost end.
const FIRST_FRAMES: usize = 20;
const LAST_FRAMES: usize = 5;
/// Functions of the library, and its files: a place in both is less to blame than where it was called from. (A lambda
/// inlined into a function of the library is not in a file of it.)
const LIBRARY_PREFIX: &str = "Core.";
/// Stands between a trait and the type it is implemented for.
const IMPL: &str = " for ";
const LIBRARY_FILES: &str = "Core/";

#[derive(Default)]
pub struct FrameTables(Vec<&'static FrameTable>);

/// A call of a C function.
#[derive(Clone, Copy)]
pub struct ForeignSiteAt {
    /// Its return address.
    pub code: usize,
    /// How far the stack pointer is below the frame pointer then.
    pub frame: usize,
    /// Empty when the function is called through a pointer.
    pub symbol: &'static str,
    pub library: &'static str,
}

/// What a return address means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    pub function: &'a str,
    pub hidden: bool,
    pub source: Option<Source<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source<'a> {
    pub file: &'a str,
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function)?;
        match self.source {
            Some(Source { file, line, column }) => write!(f, " ({file}:{line}:{column})"),
            None => Ok(()),
        }
    }
}

impl FrameTables {
    /// Adds a table; null adds nothing.
    ///
    /// # Safety
    /// The table and everything it points to must be as `abi` says and outlive the program.
    pub unsafe fn register(&mut self, table: *const FrameTable) {
        // SAFETY: per the contract.
        if let Some(table) = unsafe { table.as_ref() } {
            self.0.push(table);
        }
    }

    pub fn tables(&self) -> &[&'static FrameTable] {
        &self.0
    }

    /// Is this an address of compiled code?
    pub fn contains(&self, code: usize) -> bool {
        self.0.iter().any(|table| functions(table).iter().any(|function| covers(function, code.wrapping_add(1))))
    }

    /// All calls of C functions.
    pub fn foreign_calls(&self) -> impl Iterator<Item = ForeignSiteAt> + Clone {
        self.0.iter().flat_map(|&table| {
            // SAFETY: registered tables are as `abi` says.
            let sites = unsafe { array(table.foreign_sites, table.foreign_site_count) };
            sites.iter().filter_map(move |site| {
                let start = functions(table).get(site.function as usize)?.start.addr();
                Some(ForeignSiteAt {
                    code: start + site.offset as usize,
                    frame: site.frame as usize,
                    symbol: text(table, site.symbol),
                    library: text(table, site.library),
                })
            })
        })
    }

    /// The place of the call that returns to `code`.
    pub fn place(&self, code: usize) -> Option<Place<'static>> {
        self.0.iter().find_map(|table| place_in(table, code))
    }
}

/// Can `code` be a return address in this function? (A call that never returns may be its last instruction.)
fn covers(function: &FrameFunction, code: usize) -> bool {
    let offset = code.wrapping_sub(function.start.addr());
    offset != 0 && offset <= function.size as usize
}

fn place_in(table: &'static FrameTable, code: usize) -> Option<Place<'static>> {
    let function = functions(table).iter().find(|function| covers(function, code))?;
    let offset = (code - function.start.addr()) as u32;
    let first = function.first_site as usize;
    let sites = sites(table).get(first..first + function.site_count as usize).unwrap_or(&[]);
    let site = sites.binary_search_by_key(&offset, |site| site.offset).ok().map(|index| &sites[index]);
    let source = site.filter(|site| site.file != NO_FILE).and_then(|site| {
        let file = files(table).get(site.file as usize)?;
        Some(Source { file: text(table, *file), line: site.line, column: site.column })
    });
    Some(Place { function: text(table, function.name), hidden: function.hidden != 0, source })
}

fn functions(table: &'static FrameTable) -> &'static [FrameFunction] {
    // SAFETY: registered tables are as `abi` says.
    unsafe { array(table.functions, table.function_count) }
}

fn sites(table: &FrameTable) -> &[FrameSite] {
    // SAFETY: registered tables are as `abi` says.
    unsafe { array(table.sites, table.site_count) }
}

fn files(table: &FrameTable) -> &[FrameText] {
    // SAFETY: registered tables are as `abi` says.
    unsafe { array(table.files, table.file_count) }
}

fn text(table: &'static FrameTable, range: FrameText) -> &'static str {
    // SAFETY: registered tables are as `abi` says.
    let bytes = unsafe { array(table.text, table.text_len) };
    let start = range.start as usize;
    bytes.get(start..start + range.len as usize).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("?")
}

/// # Safety
/// `start` must point to `count` elements, or `count` be 0.
unsafe fn array<'a, T>(start: *const T, count: u64) -> &'a [T] {
    // SAFETY: per the contract.
    if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(start, count as usize) } }
}

/// The calls in progress, innermost first, by their return addresses.
#[derive(Clone)]
pub struct Walk {
    code: usize,
    frame: usize,
    stack: Bounds,
}

impl Walk {
    /// Starts at a call made by the function whose frame pointer is `frame`, returning to `code`.
    pub fn new(code: usize, frame: usize, stack: Bounds) -> Walk {
        Walk { code, frame, stack }
    }
}

impl Iterator for Walk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let code = self.code;
        if code == 0 {
            return None;
        }
        self.code = 0;
        let record = 2 * size_of::<usize>();
        if self.stack.bounds().contains(self.frame, record) && self.frame.is_multiple_of(align_of::<usize>()) {
            // SAFETY: a frame pointer within the program's stack points to the caller's frame pointer and the return address.
            let [frame, code] = unsafe { *(self.frame as *const [usize; 2]) };
            // Frames lie above those they called, or on the stack that waits for this one; anything else is the end of the chain.
            if let Some(waiting) = self.stack.waiting()
                && waiting.bounds().contains(frame, record)
            {
                self.stack = waiting;
                self.frame = frame;
                self.code = code;
            } else if frame == 0 || frame > self.frame {
                self.frame = frame;
                self.code = code;
            }
        }
        Some(code)
    }
}

/// Is this a place in the library? Methods of traits have no module in their names: `Index for Map.index`.
pub fn is_library(function: &str, file: &str) -> bool {
    let named = || function.starts_with(LIBRARY_PREFIX) || function.contains(IMPL);
    file.starts_with(LIBRARY_FILES) && named()
}

/// The innermost place outside of the library; the innermost one, if there is none close by.
pub fn blamed(tables: &FrameTables, walk: &Walk) -> Option<Place<'static>> {
    let places = || walk.clone().filter_map(|code| tables.place(code)).filter(|place| !place.hidden);
    places()
        .take(FIRST_FRAMES)
        .find(|place| place.source.is_some_and(|source| !is_library(place.function, source.file)))
        .or_else(|| places().next())
}

/// Writes `  at place` and, when there is more than one frame, the `  backtrace:`.
pub fn write_trace(out: &mut dyn Write, tables: &FrameTables, walk: Walk) -> fmt::Result {
    let places = || walk.clone().filter_map(|code| tables.place(code)).filter(|place| !place.hidden);
    let Some(blamed) = blamed(tables, &walk) else { return Ok(()) };
    writeln!(out, "  at {blamed}")?;

    // The chain is counted without looking frames up, which is what takes time on a deep stack.
    let depth = walk.clone().count();
    if depth <= FIRST_FRAMES + LAST_FRAMES {
        if places().nth(1).is_none() {
            return Ok(());
        }
        writeln!(out, "  backtrace:")?;
        for (index, place) in places().enumerate() {
            writeln!(out, "    {}: {place}", index + 1)?;
        }
        return Ok(());
    }
    writeln!(out, "  backtrace:")?;
    for (index, place) in places().take(FIRST_FRAMES).enumerate() {
        writeln!(out, "    {}: {place}", index + 1)?;
    }
    let tail = walk.skip(depth - LAST_FRAMES).map(|code| tables.place(code));
    let mut shown = [None; LAST_FRAMES];
    for (slot, place) in shown.iter_mut().zip(tail.flatten().filter(|place| !place.hidden)) {
        *slot = Some(place);
    }
    let omitted = depth - FIRST_FRAMES - LAST_FRAMES;
    writeln!(out, "    ... {} frames omitted", Grouped(omitted))?;
    let first = depth - LAST_FRAMES + 1;
    for (index, place) in shown.iter().flatten().enumerate() {
        writeln!(out, "    {}: {place}", first + index)?;
    }
    Ok(())
}

/// A number with commas between thousands.
struct Grouped(usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1_000 {
            write!(f, "{},{:03}", Grouped(self.0 / 1_000), self.0 % 1_000)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "main.mainmain.lookupCore.List.getstubsrc/main.remlCore/List.reml";
    const MAIN: usize = 0x1000;
    const LOOKUP: usize = 0x2000;
    const GET: usize = 0x3000;
    const STUB: usize = 0x4000;

    /// Tables for four functions of 256 bytes with calls returning to offsets 16 and 256.
    fn tables() -> FrameTables {
        let mut sites = Vec::new();
        let mut functions = Vec::new();
        let names = [(MAIN, 0, 9), (LOOKUP, 9, 11), (GET, 20, 13), (STUB, 33, 4)];
        for (index, (start, name, len)) in names.into_iter().enumerate() {
            functions.push(FrameFunction {
                start: start as *const u8,
                size: 256,
                name: FrameText { start: name, len },
                first_site: sites.len() as u32,
                site_count: 2,
                hidden: u32::from(start == STUB),
            });
            let file = match start {
                STUB => NO_FILE,
                GET => 1,
                _ => 0,
            };
            let line = 10 * (index as u32 + 1);
            sites.push(FrameSite { offset: 16, file, line, column: 5 });
            // The last call of `get` is one of a lambda that was inlined into it.
            let file = if start == GET { 0 } else { file };
            sites.push(FrameSite { offset: 256, file, line: line + 1, column: 7 });
        }
        functions.rotate_left(2);
        let files = vec![FrameText { start: 37, len: 13 }, FrameText { start: 50, len: 14 }];
        let table = FrameTable {
            function_count: functions.len() as u64,
            functions: functions.leak().as_ptr(),
            site_count: sites.len() as u64,
            sites: sites.leak().as_ptr(),
            file_count: 2,
            files: files.leak().as_ptr(),
            text: TEXT.as_ptr(),
            text_len: TEXT.len() as u64,
            root_sites: std::ptr::null(),
            root_site_count: 0,
            roots: std::ptr::null(),
            root_count: 0,
            root_kinds: std::ptr::null(),
            root_kind_count: 0,
            foreign_sites: std::ptr::null(),
            foreign_site_count: 0,
        };
        let mut tables = FrameTables::default();
        // SAFETY: everything is leaked.
        unsafe { tables.register(Box::leak(Box::new(table))) };
        tables
    }

    #[test]
    fn return_addresses_have_places() {
        let tables = tables();
        let place = tables.place(LOOKUP + 16).unwrap();
        assert_eq!(place.to_string(), "main.lookup (src/main.reml:20:5)");
        // The return address of a last call lies behind the function.
        assert_eq!(tables.place(LOOKUP + 256).unwrap().to_string(), "main.lookup (src/main.reml:21:7)");
        // An unknown offset still has a function.
        assert_eq!(tables.place(LOOKUP + 17).unwrap().to_string(), "main.lookup");
        assert_eq!(tables.place(LOOKUP), None);
        assert_eq!(tables.place(LOOKUP + 257), None);
        assert!(tables.contains(LOOKUP) && tables.contains(LOOKUP + 255));
        assert!(!tables.contains(LOOKUP + 256));
        assert!(tables.place(STUB + 16).unwrap().hidden);
    }

    /// A stack of frame records, outermost last; gives the trace of a panic called from the innermost.
    fn trace(codes: &[usize]) -> String {
        let mut memory = vec![[0usize; 2]; codes.len()];
        let base = memory.as_ptr().addr();
        let record = size_of::<[usize; 2]>();
        for (index, &code) in codes.iter().enumerate().skip(1) {
            let next = if index + 1 < codes.len() { base + index * record } else { 0 };
            memory[index - 1] = [next, code];
        }
        let bounds = crate::stack::StackBounds { low: base, high: base + codes.len() * record };
        let frame = if codes.len() > 1 { memory.as_ptr().addr() } else { 0 };
        let mut out = String::new();
        write_trace(&mut out, &tables(), Walk::new(codes[0], frame, Bounds::only(bounds))).unwrap();
        out
    }

    #[test]
    fn a_single_frame_needs_no_backtrace() {
        assert_eq!(trace(&[MAIN + 16, 0x9999]), "  at main.main (src/main.reml:10:5)\n");
        assert_eq!(trace(&[0x9999]), "");
    }

    #[test]
    fn blame_goes_to_the_first_frame_outside_the_library() {
        assert_eq!(
            trace(&[GET + 16, LOOKUP + 16, MAIN + 256, STUB + 16, 0x9999]),
            "  at main.lookup (src/main.reml:20:5)\n  backtrace:\n    1: Core.List.get (Core/List.reml:30:5)\n    \
             2: main.lookup (src/main.reml:20:5)\n    3: main.main (src/main.reml:11:7)\n"
        );
    }

    #[test]
    fn a_lambda_inlined_into_the_library_is_to_blame() {
        assert!(trace(&[GET + 256, MAIN + 16]).starts_with("  at Core.List.get (src/main.reml:31:7)\n"));
    }

    #[test]
    fn deep_stacks_are_cut() {
        let mut codes = vec![LOOKUP + 16; 1_000_000];
        codes.push(MAIN + 16);
        let out = trace(&codes);
        assert_eq!(out.lines().count(), 2 + 20 + 1 + 5);
        assert!(out.contains("    20: main.lookup (src/main.reml:20:5)\n    ... 999,976 frames omitted\n    999997: "));
        assert!(out.ends_with("    1000001: main.main (src/main.reml:10:5)\n"));
    }
}
