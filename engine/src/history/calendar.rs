//! Where windows begin.

use jiff::{
    Span, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};

use super::{
    plan::{CalendarUnit, Window},
    position::Position,
};

/// Microseconds in a millisecond.
const MS: i64 = 1_000;
const HOUR: i64 = 3_600_000 * MS;

/// The zone with this IANA name, from the data base compiled into the program, so that every machine resolves a day
/// to the same two instants.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// The start of the calendar unit that contains `time` in the zone. `None` near the ends of the calendar.
pub fn calendar_start(time: Timestamp, unit: CalendarUnit, zone: &TimeZone) -> Option<Timestamp> {
    let local = time.to_zoned_datetime(zone.clone());
    let start_of = |date: Date| Some(date.to_zoned_datetime(zone.clone()).ok()?.start_of_day().ok()?.timestamp());
    match unit {
        CalendarUnit::Hour => {
            // Back to the full hour on the clock as it stands now: the hour that repeats when clocks go back is two.
            let past: Span = i64::from(local.minute()).minutes().seconds(i64::from(local.second()));
            let subsecond = i64::from(local.subsec_nanosecond());
            time.checked_sub(past).ok()?.checked_sub(subsecond.nanoseconds()).ok()
        }
        CalendarUnit::Day => start_of(local.date()),
        CalendarUnit::Week => {
            let since_monday = i64::from(local.weekday().to_monday_zero_offset());
            start_of(local.date().checked_sub(since_monday.days()).ok()?)
        }
        CalendarUnit::Month => start_of(DateTime::from(local.date().first_of_month()).date()),
    }
}

/// How far before an event its window can reach, in microseconds; `None` for windows that reach to the retention.
pub(super) fn longest(window: Window) -> Option<i64> {
    match window {
        Window::Sliding(ms) | Window::Tumbling(ms) => Some(ms.max(0).saturating_mul(MS)),
        // Longest units with every clock change there has been, and some room: a zone may skip or repeat a day.
        Window::Calendar { unit: CalendarUnit::Hour, .. } => Some(2 * HOUR),
        Window::Calendar { unit: CalendarUnit::Day, .. } => Some(50 * HOUR),
        Window::Calendar { unit: CalendarUnit::Week, .. } => Some(9 * 24 * HOUR),
        Window::Calendar { unit: CalendarUnit::Month, .. } => Some(33 * 24 * HOUR),
        Window::Since(_) | Window::Retained => None,
    }
}

/// The start of `(t − width, t]`.
pub(super) fn sliding_start(end: Position, width_ms: i64) -> Position {
    let width = width_ms.max(0).saturating_mul(MS);
    Position::opening(end.at.saturating_sub(width).saturating_add(1))
}

/// The last multiple of the width since 1970.
pub(super) fn tumbling_start(end: Position, width_ms: i64) -> Position {
    let width = width_ms.max(1).saturating_mul(MS);
    Position::opening(end.at.saturating_sub(end.at.rem_euclid(width)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start, and how many hours lie between it and the start of the next unit.
    fn check(time: &str, unit: CalendarUnit, zone_name: &str, start: &str) {
        let zone = zone(zone_name).expect("the test names a zone");
        let time: Timestamp = time.parse().expect("the test writes a timestamp");
        let found = calendar_start(time, unit, &zone).expect("in the calendar");
        assert_eq!(found.to_string(), start, "{time} {unit:?} {zone_name}");
        let reach = longest(Window::Calendar { unit, zone: crate::history::plan::ZoneRef(0) }).expect("bounded");
        assert!(time.as_microsecond() - found.as_microsecond() < reach);
    }

    #[test]
    fn a_day_begins_at_local_midnight_whatever_the_clock_does_later() {
        check("2026-03-29T21:59:59Z", CalendarUnit::Day, "Europe/Berlin", "2026-03-28T23:00:00Z"); // 23 h
        check("2026-03-29T22:00:00Z", CalendarUnit::Day, "Europe/Berlin", "2026-03-29T22:00:00Z");
        check("2026-10-25T22:59:59Z", CalendarUnit::Day, "Europe/Berlin", "2026-10-24T22:00:00Z"); // 25 h
        check("2026-10-25T23:00:00Z", CalendarUnit::Day, "Europe/Berlin", "2026-10-25T23:00:00Z");
        check("2026-01-01T10:00:00Z", CalendarUnit::Day, "Pacific/Auckland", "2025-12-31T11:00:00Z");
        // Clocks in Beirut go forward at midnight: the day begins at one.
        check("2026-03-29T09:00:00Z", CalendarUnit::Day, "Asia/Beirut", "2026-03-28T22:00:00Z");
        // Samoa had no 30 December 2011.
        check("2011-12-30T12:00:00Z", CalendarUnit::Day, "Pacific/Apia", "2011-12-30T10:00:00Z");
    }

    #[test]
    fn an_hour_that_the_clocks_repeat_is_two_hours() {
        check("2026-10-25T00:59:59.5Z", CalendarUnit::Hour, "Europe/Berlin", "2026-10-25T00:00:00Z");
        check("2026-10-25T01:00:00Z", CalendarUnit::Hour, "Europe/Berlin", "2026-10-25T01:00:00Z");
        check("2026-07-01T10:50:00Z", CalendarUnit::Hour, "Asia/Kathmandu", "2026-07-01T10:15:00Z");
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        check("2026-03-29T12:00:00Z", CalendarUnit::Week, "Europe/Berlin", "2026-03-22T23:00:00Z");
        check("2026-03-30T00:00:00Z", CalendarUnit::Week, "Europe/Berlin", "2026-03-29T22:00:00Z");
        check("2026-03-31T23:00:00Z", CalendarUnit::Month, "Europe/Berlin", "2026-03-31T22:00:00Z");
        check("2024-02-29T23:00:00Z", CalendarUnit::Month, "UTC", "2024-02-01T00:00:00Z");
    }

    #[test]
    fn tumbling_windows_begin_at_multiples_of_their_width_before_1970_too() {
        let at = |at| tumbling_start(Position { at, seq: 9 }, 1_000).at;
        assert_eq!([at(0), at(999_999), at(1_000_000), at(-1)], [0, 0, 1_000_000, -1_000_000]);
    }
}
