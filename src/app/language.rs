//! The language of the window: every text goes through [`tr!`], which looks its English words up in the one catalogue,
//! `assets/locales/app.yml`. Numbers and dates as the language writes them; never in files.
//!
//! The language is that of the thread that draws: state and view models hand texts on and know no language of their own.

use crate::workflow::Phase;
use std::cell::Cell;
use strum::{EnumIter, IntoEnumIterator as _, IntoStaticStr};

rust_i18n::i18n!("assets/locales", fallback = "en");

/// A language of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, EnumIter, IntoStaticStr)]
pub enum Language {
    #[default]
    English,
    /// Bahasa Indonesia.
    Indonesian,
}

/// How a language is called, and how it writes numbers and times.
struct Conventions {
    name: &'static str,
    code: &'static str,
    /// Between a whole number and its decimals.
    point: char,
    thousands: char,
    months: [&'static str; 12],
    /// Between hours and minutes.
    colon: char,
}

thread_local! {
    static NOW: Cell<Language> = const { Cell::new(Language::English) };
}

impl Language {
    fn conventions(self) -> &'static Conventions {
        match self {
            Self::English => &Conventions {
                name: "English",
                code: "en",
                point: '.',
                thousands: ',',
                months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
                colon: ':',
            },
            Self::Indonesian => &Conventions {
                name: "Bahasa Indonesia",
                code: "id",
                point: ',',
                thousands: '.',
                months: ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"],
                colon: '.',
            },
        }
    }

    pub fn name(self) -> &'static str {
        self.conventions().name
    }

    pub fn code(self) -> &'static str {
        self.conventions().code
    }

    /// From the word in the settings.
    pub fn from_code(code: &str) -> Self {
        Self::iter().find(|l| l.code() == code).unwrap_or_default()
    }

    /// The language of this thread from now on.
    pub fn set_current(self) {
        NOW.set(self);
    }

    /// The language of this thread.
    pub fn current() -> Self {
        NOW.get()
    }
}

/// A text of the catalogue in the language spoken; what stands as `%{name}` in it is filled in.
macro_rules! tr {
    ($text:expr $(, $name:ident = $value:expr)* $(,)?) => {{
        let text = $crate::app::language::look_up($text);
        $(let text = text.replace(concat!("%{", stringify!($name), "}"), &$value.to_string());)*
        debug_assert!(!text.contains("%{"), "nothing stands for a place in it: {text}");
        text
    }};
}
pub(super) use tr;

/// The text in the language spoken; the English words themselves where the catalogue has none.
pub fn look_up(text: &str) -> String {
    match Language::current() {
        Language::English => text.to_owned(),
        language => _rust_i18n_try_translate(language.code(), text).map_or_else(|| text.to_owned(), Into::into),
    }
}

/// What a job does now.
pub fn phase_text(phase: &Phase) -> String {
    look_up(phase.template()).replace("%{n}", &phase.argument())
}

/// A number with this many decimals, as the language writes it.
pub fn decimal(value: f64, decimals: usize) -> String {
    as_written(&format!("{value:.decimals$}"))
}

/// Numbers that stand in a text with a point, as the language writes them.
pub fn as_written(text: &str) -> String {
    text.replace('.', &Language::current().conventions().point.to_string())
}

pub fn percent(share: f64, decimals: usize) -> String {
    format!("{} %", decimal(crate::laboratory::Rounded::new(share * 100.0, decimals).value(), decimals))
}

/// A count, with its thousands apart from ten thousand on.
pub fn whole(n: usize) -> String {
    let digits = n.to_string();
    if n < 10_000 {
        return digits;
    }
    let mark = Language::current().conventions().thousands;
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(c);
    }
    out
}

/// A time (RFC 3339, in UTC or of a place) as the language writes it; what is no such time stays as it is.
pub fn date(rfc3339: &str) -> String {
    let parts = || -> Option<(u32, usize, u32, &str)> {
        let (day, time) = rfc3339.split_once('T')?;
        let mut day = day.split('-');
        let (year, month, day) =
            (day.next()?.parse().ok()?, day.next()?.parse::<usize>().ok()?, day.next()?.parse().ok()?);
        Some((year, month.checked_sub(1).filter(|m| *m < 12)?, day, time.get(..5)?))
    };
    let Some((year, month, day, time)) = parts() else { return rfc3339.to_owned() };
    let Conventions { months, colon, .. } = Language::current().conventions();
    let time = time.replace(':', &colon.to_string());
    // With an offset it is the time of a place, and its people know which.
    let zone = if rfc3339.ends_with('Z') { " UTC" } else { "" };
    format!("{day} {} {year}, {time}{zone}", months[month])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates_are_the_languages_own() {
        assert_eq!(
            (decimal(94.84, 1), whole(1_234_567), whole(999)),
            ("94.8".into(), "1,234,567".into(), "999".into())
        );
        assert_eq!(date("2026-05-03T09:07:00Z"), "3 May 2026, 09:07 UTC");
        assert_eq!(date("2026-05-03T16:07:00+07:00"), "3 May 2026, 16:07");
        Language::Indonesian.set_current();
        assert_eq!((decimal(94.84, 1), whole(1_234_567)), ("94,8".into(), "1.234.567".into()));
        assert_eq!(date("2026-05-03T09:07:00Z"), "3 Mei 2026, 09.07 UTC");
        assert_eq!(tr!("Undo"), "Urungkan");
        Language::English.set_current();
        assert_eq!(date("not a time"), "not a time");
    }
}
