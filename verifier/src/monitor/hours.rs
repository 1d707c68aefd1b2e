//! Hours of work, in a time zone.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;

/// `hours` of a rule as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    zone: String,
    days: String,
    from: String,
    to: String,
    #[serde(default)]
    holidays: Vec<String>,
}

/// The hours in which something is expected.
#[derive(Debug, Clone)]
pub(crate) struct Hours {
    zone: TimeZone,
    /// From Monday on.
    days: [bool; 7],
    from: Time,
    to: Time,
    holidays: Vec<Date>,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Hours {
    pub(crate) fn parse(written: &Written) -> Result<Hours, String> {
        let zone = TimeZone::get(&written.zone).map_err(|_| {
            format!("{:?} is no time zone: write one of the tz database, as \"Europe/Berlin\" or \"UTC\"", written.zone)
        })?;
        let (from, to) = (time(&written.from)?, time(&written.to)?);
        if from == to {
            return Err("`from` and `to` are the same time".into());
        }
        let holidays = written.holidays.iter().map(|day| {
            day.parse().map_err(|_| format!("{day:?} is no date: write \"2027-12-24\""))
        });
        let holidays = holidays.collect::<Result<Vec<Date>, String>>()?;
        Ok(Hours { zone, days: days(&written.days)?, from, to, holidays })
    }

    /// Whether a time, in POSIX seconds, is within them. Hours that end before they begin go over midnight, and
    /// belong to the day on which they begin.
    pub(crate) fn hold(&self, seconds: u64) -> bool {
        let time = i64::try_from(seconds).ok().and_then(|time| Timestamp::from_second(time).ok());
        let Some(time) = time else { return false };
        let local = time.to_zoned(self.zone.clone()).datetime();
        let (date, time) = (local.date(), local.time());
        if self.from < self.to {
            return self.is_workday(date) && self.from <= time && time < self.to;
        }
        let before = date.yesterday().is_ok_and(|before| self.is_workday(before));
        (self.is_workday(date) && self.from <= time) || (before && time < self.to)
    }

    fn is_workday(&self, date: Date) -> bool {
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        self.days.get(day).copied().unwrap_or(false) && !self.holidays.contains(&date)
    }
}

fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("{text:?} is no time of day: write \"07:00\"");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    if hour.len() != 2 || minute.len() != 2 {
        return Err(wrong());
    }
    let (hour, minute) = (hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
    Time::new(hour, minute, 0, 0).map_err(|_| wrong())
}

// `mon-fri`, `mon,wed,sat-sun`
fn days(text: &str) -> Result<[bool; 7], String> {
    let wrong = || format!("{text:?} are no days: write \"mon-fri\" or \"mon,wed,sat-sun\"");
    let day = |name: &str| DAYS.iter().position(|day| *day == name.trim()).ok_or_else(wrong);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, days: &str, from: &str, to: &str) -> Result<Hours, String> {
        let text = |text: &str| text.to_owned();
        let holidays = vec!["2027-12-24".into()];
        Hours::parse(&Written {
            zone: text(zone),
            days: text(days),
            from: text(from),
            to: text(to),
            holidays,
        })
    }

    fn at(text: &str) -> u64 {
        text.parse::<Timestamp>().unwrap().as_second().try_into().unwrap()
    }

    #[test]
    fn hours_are_those_of_the_zone_in_summer_and_in_winter() {
        let berlin = hours("Europe/Berlin", "mon-fri", "07:00", "19:00").unwrap();
        for (time, expected) in [
            ("2027-01-11T05:59:59Z", false), // a Monday in winter, 06:59:59 there
            ("2027-01-11T06:00:00Z", true),
            ("2027-07-12T05:00:00Z", true), // in summer 07:00 there
            ("2027-07-12T17:00:00Z", false),
            ("2027-07-10T10:00:00Z", false), // a Saturday
            ("2027-12-24T10:00:00Z", false), // a holiday, a Friday
            ("2027-12-23T10:00:00Z", true),
        ] {
            assert_eq!(berlin.hold(at(time)), expected, "{time}");
        }
        assert!(!berlin.hold(u64::MAX));
        // A night's shift belongs to the day on which it begins.
        let night = hours("UTC", "fri,sun-mon", "22:00", "06:00").unwrap();
        for (time, expected) in [
            ("2027-07-09T21:59:00Z", false),
            ("2027-07-09T22:00:00Z", true), // Friday
            ("2027-07-10T05:59:00Z", true), // Saturday's morning
            ("2027-07-10T22:00:00Z", false),
            ("2027-07-12T23:00:00Z", true), // Monday
        ] {
            assert_eq!(night.hold(at(time)), expected, "{time}");
        }
    }

    #[test]
    fn what_are_no_hours_is_said() {
        for (zone, days, from, to) in [
            ("Europe/Atlantis", "mon-fri", "07:00", "19:00"),
            ("UTC", "mon-friday", "07:00", "19:00"),
            ("UTC", "", "07:00", "19:00"),
            ("UTC", "mon", "7:00", "19:00"),
            ("UTC", "mon", "07:00", "24:00"),
            ("UTC", "mon", "07:00", "07:00"),
        ] {
            assert!(hours(zone, days, from, to).is_err(), "{zone} {days} {from} {to}");
        }
    }
}
