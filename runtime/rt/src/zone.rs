//! What time is it elsewhere? The rules of time zones, from the system's database or, where there is none, from one that comes along.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::context::Cx;
use crate::string::{StrOwned, StrRef, empty, new_str};

/// What stands for an unknown zone, or a moment beyond the years -9999 to 9999.
const UNKNOWN: i64 = i64::MIN;

fn moment(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// How many seconds the clocks of a zone are ahead of UTC at a moment.
#[unsafe(no_mangle)]
pub extern "C" fn reml_zone_offset(_: Cx, name: StrRef, seconds: i64) -> i64 {
    let offset = TimeZone::get(name.as_str()).ok().zip(moment(seconds)).map(|(zone, at)| zone.to_offset(at));
    offset.map_or(UNKNOWN, |offset| i64::from(offset.seconds()))
}

/// The same for a moment given as what the clocks there show, in seconds since 1970-01-01T00:00:00 of these clocks. When they show it twice, the
/// first time counts; when they skip it, what they would show had they not been put forward.
#[unsafe(no_mangle)]
pub extern "C" fn reml_zone_local_offset(_: Cx, name: StrRef, seconds: i64) -> i64 {
    let found = TimeZone::get(name.as_str()).ok().zip(moment(seconds)).and_then(|(zone, shown)| {
        let shown = TimeZone::UTC.to_datetime(shown);
        let at = zone.to_ambiguous_timestamp(shown).compatible().ok()?;
        Some(seconds - at.as_second())
    });
    found.unwrap_or(UNKNOWN)
}

/// What the time of a zone is called at a moment, such as `CEST`; empty when the zone is unknown.
#[unsafe(no_mangle)]
pub extern "C" fn reml_zone_abbreviation(cx: Cx, name: StrRef, seconds: i64) -> StrOwned {
    match TimeZone::get(name.as_str()).ok().zip(moment(seconds)) {
        Some((zone, at)) => new_str(cx, zone.to_offset_info(at).abbreviation()),
        None => empty(),
    }
}

/// The name of the zone that the machine is in; empty when it cannot be found out.
#[unsafe(no_mangle)]
pub extern "C" fn reml_zone_local_name(cx: Cx) -> StrOwned {
    match TimeZone::try_system().ok().as_ref().and_then(|zone| zone.iana_name()) {
        Some(name) => new_str(cx, name),
        None => empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;

    #[test]
    fn clocks_are_put_forward_and_back() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let zone = new_str(cx, "Europe/Berlin");
        let offset = |seconds| reml_zone_offset(cx, zone.borrow(), seconds);
        // 2024-03-31T00:59:59Z and 01:00:00Z.
        assert_eq!((offset(1_711_846_799), offset(1_711_846_800)), (3600, 7200));
        // 02:30 is skipped that day; 2024-10-27T02:30 comes twice.
        assert_eq!(reml_zone_local_offset(cx, zone.borrow(), 1_711_852_200), 3600);
        assert_eq!(reml_zone_local_offset(cx, zone.borrow(), 1_729_996_200), 7200);
        let name = reml_zone_abbreviation(cx, zone.borrow(), 1_711_846_800);
        assert_eq!(name.borrow().as_str(), "CEST");
        let nowhere = new_str(cx, "Nowhere/At_All");
        assert_eq!(reml_zone_offset(cx, nowhere.borrow(), 0), UNKNOWN);
        assert_eq!(reml_zone_offset(cx, zone.borrow(), i64::MAX), UNKNOWN);
    }
}
