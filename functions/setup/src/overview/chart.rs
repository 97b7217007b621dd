//! Draws numbers by day as stacked bars, in SVG. The colours come from the page's style sheet, which
//! replaces those that are drawn here: it knows light and dark.

use jiff::civil::Date;
use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;

use crate::http::problem::Problem;

/// The size in pixels, before the page scales it: two charts fit beside each other.
const SIZE: (u32, u32) = (460, 200);
const TEXT: u32 = 15;

/// The colours of the series in the order in which they are stacked. `style.css` names them.
const COLORS: [RGBColor; 3] = [RGBColor(0, 0, 1), RGBColor(0, 0, 2), RGBColor(0, 0, 3)];

/// What a chart shows.
pub(super) struct Chart<'a, const SERIES: usize> {
    pub(super) title: &'a str,
    pub(super) series: [&'a str; SERIES],
    pub(super) axis: Axis,
    /// The numbers of each day in the order of the series, the oldest first.
    pub(super) days: Vec<(Date, [u32; SERIES])>,
}

/// What the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Counts,
    Seconds,
}

impl Axis {
    /// How much one unit of the axis is, its name, and the width of its labels in pixels.
    fn unit(self, highest: u32) -> (u32, &'static str, u32) {
        match (self, highest) {
            (Self::Counts, _) => (1, "", 44),
            (Self::Seconds, 0..=180) => (1, " s", 56),
            (Self::Seconds, 181..=10_800) => (60, " min", 64),
            (Self::Seconds, 10_801..) => (3600, " h", 56),
        }
    }
}

impl<const SERIES: usize> Chart<'_, SERIES> {
    pub(super) fn render(&self) -> Result<Markup, Problem> {
        const { assert!(SERIES <= COLORS.len()) };
        if self.highest() == 0 {
            return Ok(html! {
                figure class="chart" { figcaption { (self.title) } p { "None in these days." } }
            });
        }
        let svg = self.svg().map_err(|err| {
            tracing::error!(error = %err, "failed to draw a chart");
            Problem::unavailable("The chart could not be drawn. Load the page again.")
        })?;
        Ok(html! {
            figure class="chart" {
                figcaption { (self.title) }
                // A table with the same numbers follows, so that nothing is lost without the picture.
                div aria-hidden="true" { (PreEscaped(svg)) }
                ul class="legend" {
                    @for (index, name) in self.series.iter().enumerate() {
                        li { span class={ "swatch s" (index + 1) } aria-hidden="true" {} " " (name) }
                    }
                }
            }
        })
    }

    /// The highest bar.
    fn highest(&self) -> u32 {
        let days = self.days.iter();
        let bars = days.map(|(_, counts)| counts.iter().sum::<u32>());
        bars.max().unwrap_or(0)
    }

    fn svg(&self) -> Result<String, Box<dyn std::error::Error>> {
        let mut svg = String::new();
        let highest = self.highest();
        let (unit, unit_name, label_width) = self.axis.unit(highest);
        let in_units = |number: u32| f64::from(number) / f64::from(unit);
        // At least 4, so that the axis has whole numbers.
        let top = in_units(highest).max(4.0) * 1.05;
        let last = self.days.len() as f64 - 0.5;
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            let mut chart = ChartBuilder::on(&area)
                .margin(4)
                .x_label_area_size(24)
                .y_label_area_size(label_width)
                .build_cartesian_2d(-0.5..last, 0.0..top)?;
            let day_at = |x: &f64| self.label(*x);
            let number_at = |y: &f64| whole(*y, unit_name);
            chart
                .configure_mesh()
                .disable_x_mesh()
                .x_labels(8)
                .y_labels(5)
                .max_light_lines(1)
                .x_label_formatter(&day_at)
                .y_label_formatter(&number_at)
                .label_style(("sans-serif", TEXT))
                .draw()?;
            for (index, (_, counts)) in self.days.iter().enumerate() {
                let x = index as f64;
                let mut base = 0.0;
                for (count, color) in counts.iter().zip(COLORS).filter(|(count, _)| **count > 0) {
                    let end = base + in_units(*count);
                    let bar = [(x - 0.4, base), (x + 0.4, end)];
                    chart.draw_series([Rectangle::new(bar, color.filled())])?;
                    base = end;
                }
            }
            area.present()?;
        }
        Ok(svg)
    }

    /// The day at a position of the axis, such as "26 Nov".
    fn label(&self, x: f64) -> String {
        let is_whole = (x - x.round()).abs() < 1e-6;
        let day = (is_whole && x >= 0.0).then(|| self.days.get(x.round() as usize));
        match day.flatten() {
            Some((day, _)) => day.strftime("%-d %b").to_string(),
            None => String::new(),
        }
    }
}

fn whole(number: f64, unit: &str) -> String {
    match (number - number.round()).abs() < 1e-6 {
        true => format!("{number:.0}{unit}"),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(axis: Axis, counts: &[[u32; 2]]) -> String {
        let first: Date = "2026-11-20".parse().unwrap();
        let days = (0..).zip(counts);
        let days = days.map(|(day, counts)| {
            let date = first.saturating_add(jiff::Span::new().days(day));
            (date, *counts)
        });
        let chart = Chart {
            title: "Tickets",
            series: ["on time", "late"],
            axis,
            days: days.collect(),
        };
        chart.svg().unwrap()
    }

    #[test]
    fn each_count_is_a_bar_on_top_of_the_others() {
        insta::assert_snapshot!(chart(Axis::Counts, &[[3, 1], [0, 0], [5, 0]]));
    }

    #[test]
    fn times_are_labelled_in_the_unit_that_fits_them() {
        for (highest, label) in [
            (40, "40 s<"),
            (180, "100 s<"),
            (600, "10 min<"),
            (36_000, "10 h<"),
        ] {
            let svg = chart(Axis::Seconds, &[[1, highest - 1]]).replace('\n', "");
            assert!(svg.contains(label), "{highest}: {svg}");
        }
    }

    #[test]
    fn a_chart_without_any_count_says_so() {
        let day = "2026-11-26".parse().unwrap();
        let chart = |count| Chart {
            title: "Tickets that ended, by day",
            series: ["closed"],
            axis: Axis::Counts,
            days: vec![(day, [count])],
        };
        let page = |count| chart(count).render().unwrap().into_string();
        assert!(page(0).contains("None in these days.") && !page(0).contains("<svg"));
        assert!(page(1).contains("<svg"), "{}", page(1));
    }
}
