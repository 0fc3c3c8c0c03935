//! The same operations as collections.reml on Rust's BTreeMap, BTreeSet, HashMap (with its default hasher), LinkedList and Vec. These
//! change in place: where the others leave the operand as it was, it is copied, or mended, while the clock stands.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, LinkedList};
use std::hint::black_box;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: &mut Timespec) -> i32;
}

/// The CPU time of this process in nanoseconds: operations are stopped between two runs, so microseconds will not do.
fn cpu_time() -> i64 {
    const PROCESS: i32 = 2;
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: this is the C library's function on 64-bit Linux, with its structure to fill.
    unsafe { clock_gettime(PROCESS, &mut time) };
    time.seconds * 1_000_000_000 + time.nanoseconds
}

fn key(i: i64, n: i64) -> i64 {
    i * 611_953 % n
}

fn map_from(start: i64, step: i64, n: i64) -> BTreeMap<i64, i64> {
    let mut map = BTreeMap::new();
    for i in 0..n {
        map.insert(start + key(i, n) * step, i);
    }
    map
}

fn set_from(start: i64, step: i64, n: i64) -> BTreeSet<i64> {
    let mut set = BTreeSet::new();
    for i in 0..n {
        set.insert(start + key(i, n) * step);
    }
    set
}

fn table_of(n: i64) -> HashMap<i64, i64> {
    let mut table = HashMap::new();
    for i in 0..n {
        table.insert(key(i, n), i);
    }
    table
}

fn list_of(n: i64) -> LinkedList<i64> {
    let mut list = LinkedList::new();
    for i in 0..n {
        list.push_front(key(i, n));
    }
    list
}

fn array_of(n: i64) -> Vec<i64> {
    let mut array = Vec::new();
    for i in 0..n {
        array.push(key(i, n));
    }
    array
}

/// Times `run` on what `prepare` makes; only `run`, with what it drops, is on the clock.
fn report_on<T>(name: &str, elements: i64, prepare: impl Fn() -> T, run: impl Fn(T) -> i64) {
    let times = (200_000 / elements).max(1);
    let mut checksum = 0;
    let mut best = f64::INFINITY;
    let begun = cpu_time();
    for _ in 0..3 {
        // What takes long is known well enough.
        if cpu_time() - begun > 500_000_000 {
            break;
        }
        let mut sum = 0;
        let mut took = 0;
        for _ in 0..times {
            let input = black_box(prepare());
            let start = cpu_time();
            sum += black_box(run(input));
            took += cpu_time() - start;
        }
        checksum = sum / times;
        best = best.min(took as f64 / (elements * times) as f64);
    }
    println!("{name}\t{checksum}\t{best:.3}");
}

fn report(name: &str, elements: i64, run: impl Fn() -> i64) {
    report_on(name, elements, || (), |()| run());
}

fn merge(base: &mut BTreeMap<i64, i64>, delta: BTreeMap<i64, i64>) {
    for (key, value) in delta {
        base.entry(key).and_modify(|old| *old += value).or_insert(value);
    }
}

fn maps(n: i64, few: i64) {
    let map = map_from(0, 1, n);
    let even = map_from(0, 2, n);
    let odd = map_from(1, 2, n);
    let new = map_from(1, n / few * 2, few);
    report("map: insert", n, || map_from(0, 1, n).len() as i64);
    report("map: look up", n, || (0..n).map(|i| map.get(&key(i, n)).copied().unwrap_or(0)).sum());
    report("map: iterate", n, || map.iter().fold(0, |sum, (_, value)| sum + value));
    report("map: fold", n, || map.values().sum());
    report_on(
        "map: map values",
        n,
        || map.clone(),
        |mut map| {
            map.values_mut().for_each(|value| *value += 1);
            map.len() as i64
        },
    );
    report_on(
        "map: filter half",
        n,
        || map.clone(),
        |mut map| {
            map.retain(|_, value| *value % 2 == 0);
            map.len() as i64
        },
    );
    report_on(
        "map: remove all",
        n,
        || map.clone(),
        |mut rest| {
            for i in 0..n {
                rest.remove(&key(i, n));
            }
            rest.len() as i64
        },
    );
    report_on(
        "map: merge equal sizes",
        n * 2,
        || (even.clone(), odd.clone()),
        |(mut a, b)| {
            merge(&mut a, b);
            a.len() as i64
        },
    );
    let many = RefCell::new(even);
    let forget = || {
        for key in new.keys() {
            many.borrow_mut().remove(key);
        }
        new.clone()
    };
    report_on("map: merge few into many", few, forget, |new| {
        merge(&mut many.borrow_mut(), new);
        many.borrow().len() as i64
    });
}

fn sets(n: i64, few: i64) {
    let set = set_from(0, 1, n);
    let even = set_from(0, 2, n);
    let third = set_from(0, 3, n);
    let new = set_from(1, n / few * 2, few);
    report("set: insert", n, || set_from(0, 1, n).len() as i64);
    report("set: contains", n, || (0..n * 2).filter(|i| set.contains(i)).count() as i64);
    report("set: iterate", n, || set.iter().sum());
    report("set: union", n * 2, || even.union(&third).copied().collect::<BTreeSet<_>>().len() as i64);
    report("set: intersection", n * 2, || even.intersection(&third).copied().collect::<BTreeSet<_>>().len() as i64);
    report("set: difference", n * 2, || even.difference(&third).copied().collect::<BTreeSet<_>>().len() as i64);
    let many = RefCell::new(even);
    let forget = || {
        for x in &new {
            many.borrow_mut().remove(x);
        }
        new.clone()
    };
    report_on("set: union of many and few", few, forget, |new| {
        many.borrow_mut().extend(new);
        many.borrow().len() as i64
    });
}

fn tables(n: i64) {
    let table = table_of(n);
    report("table: insert", n, || table_of(n).len() as i64);
    report("table: look up", n, || (0..n).map(|i| table.get(&key(i, n)).copied().unwrap_or(0)).sum());
    report("table: iterate", n, || table.iter().map(|(_, value)| value).sum());
    report("table: count", n, || {
        let mut counts = HashMap::new();
        for i in 0..n {
            *counts.entry(key(i, n) / 10).or_insert(0) += 1;
        }
        counts.len() as i64
    });
    report("table: fill and empty", n, || {
        let mut rest = table_of(n);
        for i in 0..n {
            rest.remove(&i);
        }
        rest.len() as i64
    });
}

fn lists(n: i64) {
    let list = list_of(n);
    let head = |list: &LinkedList<i64>| list.front().copied().unwrap_or(0);
    report("list: push to the front", n, || head(&list_of(n)));
    report("list: fold", n, || list.iter().sum());
    report("list: map", n, || head(&list.iter().map(|x| x + 1).collect()));
    report("list: filter half", n, || {
        list.iter().copied().filter(|x| x % 2 == 0).collect::<LinkedList<_>>().len() as i64
    });
    report("list: append", n, || head(&list.iter().chain(&list).copied().collect()));
    report("list: reverse", n, || head(&list.iter().rev().copied().collect()));
}

fn arrays(n: i64) {
    let array = array_of(n);
    report("array: push", n, || array_of(n).len() as i64);
    report_on(
        "array: sort",
        n,
        || array.clone(),
        |mut array| {
            array.sort();
            array[0]
        },
    );
}

fn main() {
    let n = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    let few = (n / 10).min(1000);
    maps(n, few);
    sets(n, few);
    tables(n);
    lists(n);
    arrays(n);
}
