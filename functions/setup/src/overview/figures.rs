//! The figures of 7 or 90 days on the overview: a summary, charts, and a table by day.

use domain::alert::figures::DAYS;
use domain::monitoring::figures::{Counts, PartnerFigures, WEEK};
use domain::time::duration;
use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use serde::Serialize;

use crate::http::problem::Problem;
use crate::overview::chart::{Axis, Chart};
use crate::page;
use crate::paths::with_query;
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct FiguresView {
    counted_at: Timestamp,
    period: Period,
    sum: Counts,
    /// The oldest first, in UTC.
    days: Vec<DayRow>,
}

#[derive(Serialize)]
struct DayRow {
    day: Date,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Period {
    Week,
    Quarter,
}

impl Period {
    /// The period of the page's address. Anything else is a week.
    pub(super) fn new(days: Option<&str>) -> Self {
        match days.and_then(|days| days.parse().ok()) {
            Some(DAYS) => Self::Quarter,
            Some(_) | None => Self::Week,
        }
    }

    fn days(self) -> i64 {
        match self {
            Self::Week => WEEK,
            Self::Quarter => DAYS,
        }
    }
}

impl FiguresView {
    pub(super) fn new(figures: &PartnerFigures, period: Period, now: Timestamp) -> Self {
        let days = figures.last_days(period.days(), now).into_iter();
        Self {
            counted_at: figures.counted_at,
            period,
            sum: match period {
                Period::Week => figures.week,
                Period::Quarter => figures.quarter,
            },
            days: days.map(|(day, counts)| DayRow { day, counts }).collect(),
        }
    }

    pub(super) fn render(&self) -> Result<Markup, Problem> {
        let sum = &self.sum;
        let raised = Chart {
            title: "Alerts raised, by day",
            series: ["raised"],
            axis: Axis::Counts,
            days: self.series(|of| [of.raised]),
        };
        let tickets = Chart {
            title: "Tickets by day",
            series: [
                "created",
                "of these delayed by an outage",
                "notes on open tickets",
            ],
            axis: Axis::Counts,
            days: self.series(|of| [of.created.saturating_sub(of.late), of.late, of.noted]),
        };
        let ends = Chart {
            title: "Tickets that ended, by day",
            series: ["closed by Ticketbridge", "closed by a person"],
            axis: Axis::Counts,
            days: self.series(|of| [of.closed, of.closed_by_person]),
        };
        let delays = Chart {
            title: "From alert to ticket, by day",
            series: ["half of the tickets within", "95 of 100 within"],
            axis: Axis::Seconds,
            days: self.series(|of| match of.delay {
                // The second part of a bar begins where the first ends.
                Some(delay) => [delay.median, delay.p95.saturating_sub(delay.median)],
                None => [0, 0],
            }),
        };
        let other = match self.period {
            Period::Week => Period::Quarter,
            Period::Quarter => Period::Week,
        };
        let address = SetupStep::Overview.path();
        let other_address = with_query(address, &[("days", &other.days().to_string())])?;
        Ok(html! {
            h2 id="figures" { "The last " (self.period.days()) " days" }
            p {
                a href={ (other_address) "#figures" } { "Show " (other.days()) " days" }
                " " small { "Counted " (page::time(self.counted_at)) ". Days are in UTC." }
            }
            dl class="figures" {
                (figure("Alerts raised", sum.raised))
                (figure("Tickets created", sum.created))
                @if sum.reopened > 0 { (figure("Tickets reopened", sum.reopened)) }
                (figure("Notes on open tickets", sum.noted))
                (figure("Closed by Ticketbridge", sum.closed))
                (figure("Closed by a person", sum.closed_by_person))
                (figure("Delayed by an outage", sum.late))
                @if let Some(delay) = sum.delay {
                    div { dt { "From alert to ticket" } dd { (duration(delay.median)) } small { "95 of 100 within " (duration(delay.p95)) } }
                }
            }
            @if sum.delay.is_some() { p { small { "Alerts that waited for a person do not count in the time from alert to ticket." } } }
            div class="charts" { (raised.render()?) (tickets.render()?) (ends.render()?) (delays.render()?) }
            details {
                summary { "The same as a table" }
                (self.table())
            }
        })
    }

    fn series<const N: usize>(&self, of: impl Fn(&Counts) -> [u32; N]) -> Vec<(Date, [u32; N])> {
        let days = self.days.iter();
        days.map(|row| (row.day, of(&row.counts))).collect()
    }

    /// The newest day first.
    fn table(&self) -> Markup {
        html! {
            table class="cards numbers" {
                caption { "Figures by day" }
                thead { tr {
                    th scope="col" { "Day" }
                    @for (title, _) in cells(&Counts::default()) { th scope="col" { (title) } }
                } }
                tbody {
                    @for row in self.days.iter().rev() {
                        tr {
                            th scope="row" { (row.day) }
                            @for (title, value) in cells(&row.counts) { td data-label=(title) { (value) } }
                        }
                    }
                }
            }
        }
    }
}

/// The cells of a day, each with its title.
fn cells(of: &Counts) -> [(&'static str, String); 9] {
    let seconds = |of: Option<u32>| of.map_or_else(|| "-".to_owned(), duration);
    [
        ("Raised", of.raised.to_string()),
        ("Created", of.created.to_string()),
        ("Reopened", of.reopened.to_string()),
        ("Notes", of.noted.to_string()),
        ("Closed by Ticketbridge", of.closed.to_string()),
        ("Closed by a person", of.closed_by_person.to_string()),
        ("Delayed", of.late.to_string()),
        ("Median", seconds(of.delay.map(|delay| delay.median))),
        ("95 %", seconds(of.delay.map(|delay| delay.p95))),
    ]
}

fn figure(name: &str, count: u32) -> Markup {
    html! { div { dt { (name) } dd { (count) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_week_unless_the_address_says_90_days() {
        assert_eq!(Period::new(Some("90")), Period::Quarter);
        for days in [None, Some("7"), Some("91"), Some("<script>")] {
            assert_eq!(Period::new(days), Period::Week);
        }
    }
}
