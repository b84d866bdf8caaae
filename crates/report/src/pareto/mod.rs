//! A Pareto plot as an SVG file of its own: time against energy, both logarithmic, a
//! panel for each plan, and the front of each panel with its points named beside it.

mod axis;

use maud::{Markup, PreEscaped, html};

use self::axis::Axis;
use crate::chart::Legend;
use crate::number::{self, Unit};
use crate::page::printable;

const STYLE: &str = include_str!("style.css");

/// Width of the drawing, in units of the view box.
const WIDTH: f64 = 1080.0;
/// Where the plots of the panels begin and end along x.
const PLOT: (f64, f64) = (84.0, 620.0);
/// Where the names of front points begin.
const NAMES: f64 = 648.0;
/// Height of a panel's title, of its plot at least, of the axis below, and of a name.
const TITLE: f64 = 34.0;
const PLOT_HEIGHT: f64 = 330.0;
const AXIS_HEIGHT: f64 = 56.0;
const NAME_HEIGHT: f64 = 17.0;
/// Characters of a line of settings.
const LINE: usize = 60;
/// Height of what stands above the panels.
const HEAD: f64 = 66.0;

/// What a Pareto plot shows.
#[derive(Clone, Debug)]
pub struct ParetoPlot {
    /// What was simulated, in a few words.
    pub title: String,
    /// One panel for each plan: what plans lose differs, so their points do not compete.
    pub panels: Vec<ParetoPanel>,
}

/// The points of one plan.
#[derive(Clone, Debug)]
pub struct ParetoPanel {
    /// The plan.
    pub title: String,
    /// In any order.
    pub points: Vec<ParetoPoint>,
}

/// A machine with its settings.
#[derive(Clone, Debug)]
pub struct ParetoPoint {
    /// The machine, which has a colour.
    pub machine: String,
    /// Its settings.
    pub settings: String,
    /// Time in microseconds.
    pub time_us: f64,
    /// Energy in microjoules.
    pub energy_uj: f64,
    /// Whether no other point of the panel is better in both.
    pub on_front: bool,
}

impl ParetoPoint {
    fn is_drawn(&self) -> bool {
        let is_shown = |value: f64| value > 0.0 && value.is_finite();
        is_shown(self.time_us) && is_shown(self.energy_uj)
    }

    /// The settings, cut into lines at their semicolons.
    fn settings_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for setting in self
            .settings
            .split("; ")
            .filter(|setting| !setting.is_empty())
        {
            match lines.last_mut() {
                Some(line) if line.chars().count() + setting.chars().count() < LINE => {
                    line.push_str("; ");
                    line.push_str(setting);
                }
                _ => lines.push(setting.to_owned()),
            }
        }
        lines
    }

    fn name(&self) -> String {
        match self.settings.is_empty() {
            true => self.machine.clone(),
            false => format!("{}: {}", self.machine, self.settings),
        }
    }
}

/// The SVG file of a plot. The same plot gives the same bytes.
pub fn render_pareto(plot: &ParetoPlot) -> String {
    let points = || plot.panels.iter().flat_map(|panel| &panel.points);
    let drawn = || points().filter(|point| point.is_drawn());
    let time = Axis::around(drawn().map(|point| point.time_us));
    let energy = Axis::around(drawn().map(|point| point.energy_uj));
    let units = (
        Unit::of_time_us(drawn().map(|point| point.time_us)),
        Unit::of_energy_uj(drawn().map(|point| point.energy_uj)),
    );
    let legend = Legend::new(points().map(|point| point.machine.as_str()));
    let mut top = HEAD;
    let mut panels = Vec::new();
    for panel in &plot.panels {
        let front = front(panel);
        let names: usize = front
            .iter()
            .map(|point| 1 + point.settings_lines().len())
            .sum();
        let height = PLOT_HEIGHT.max(NAME_HEIGHT * (names as f64 + 1.0));
        panels.push(html! {
            g transform=(format!("translate(0 {top:.1})")) {
                (drawing(panel, &front, &legend, (&time, &energy), units, height))
            }
        });
        top += TITLE + height + AXIS_HEIGHT;
    }
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {top:.1}"))
            width=(WIDTH) height=(format!("{top:.1}")) role="img" {
            title { (plot.title) }
            style { (PreEscaped(STYLE)) }
            rect.ground width="100%" height="100%" {}
            text.title x="24" y="30" { (plot.title) }
            (keys(&legend))
            @for panel in &panels { (panel) }
        }
    };
    printable(&svg.into_string()) + "\n"
}

/// What the colours mean, in a row.
fn keys(legend: &Legend) -> Markup {
    let mut end = 24.0;
    let places = legend.names().iter().map(|name| {
        let start = end;
        end += 40.0 + 7.0 * name.chars().count() as f64;
        (name, start)
    });
    html! {
        @for (name, x) in places {
            circle class=(legend.class(name)) cx=(format!("{:.1}", x + 5.0)) cy="50" r="5" {}
            text x=(format!("{:.1}", x + 16.0)) y="54" { (name) }
        }
    }
}

/// The points of the front, quickest first.
fn front(panel: &ParetoPanel) -> Vec<&ParetoPoint> {
    let points = panel.points.iter();
    let mut front: Vec<&ParetoPoint> = points
        .filter(|point| point.on_front && point.is_drawn())
        .collect();
    front.sort_by(|a, b| {
        a.time_us
            .total_cmp(&b.time_us)
            .then(a.energy_uj.total_cmp(&b.energy_uj))
    });
    front
}

fn drawing(
    panel: &ParetoPanel,
    front: &[&ParetoPoint],
    legend: &Legend,
    (time, energy): (&Axis, &Axis),
    (time_unit, energy_unit): (Unit, Unit),
    height: f64,
) -> Markup {
    let (left, right) = PLOT;
    let (top, bottom) = (TITLE, TITLE + height);
    let x = |time_us: f64| left + time.share(time_us) * (right - left);
    let y = |energy_uj: f64| bottom - energy.share(energy_uj) * (bottom - top);
    let at = |position: f64| format!("{position:.2}");
    let tell = |point: &ParetoPoint| {
        format!(
            "{}, {}",
            time_unit.figure_with_symbol(point.time_us),
            energy_unit.figure_with_symbol(point.energy_uj)
        )
    };
    let rest = panel
        .points
        .iter()
        .filter(|point| point.is_drawn() && !point.on_front);
    html! {
        text.panel x=(at(left)) y="18" { "plan: " (panel.title) }
        @for &tick in &time.ticks {
            line.grid x1=(at(x(tick))) x2=(at(x(tick))) y1=(at(top)) y2=(at(bottom)) {}
            text.below x=(at(x(tick))) y=(at(bottom + 18.0)) { (time_unit.tick(tick)) }
        }
        @for &tick in &energy.ticks {
            line.grid x1=(at(left)) x2=(at(right)) y1=(at(y(tick))) y2=(at(y(tick))) {}
            text.beside x=(at(left - 8.0)) y=(at(y(tick) + 4.0)) { (energy_unit.tick(tick)) }
        }
        text.below x=(at((left + right) / 2.0)) y=(at(bottom + 38.0)) { "time, " (time_unit.symbol) }
        text.below transform=(format!("translate(24 {}) rotate(-90)", at((top + bottom) / 2.0))) {
            "energy with DRAM, " (energy_unit.symbol)
        }
        @for point in rest {
            circle class=(format!("other {}", legend.class(&point.machine))) cx=(at(x(point.time_us)))
                cy=(at(y(point.energy_uj))) r="3" {
                title { (point.name()) ": " (tell(point)) }
            }
        }
        polyline.front points=(steps(front, x, y)) {}
        text.heading x=(at(NAMES)) y=(at(top + 4.0)) { "front, quickest first" }
        @for (index, point) in front.iter().enumerate() {
            circle class=(legend.class(&point.machine)) cx=(at(x(point.time_us)))
                cy=(at(y(point.energy_uj))) r="7" {
                title { (point.name()) ": " (tell(point)) }
            }
            text.number x=(at(x(point.time_us))) y=(at(y(point.energy_uj) + 3.0)) { (index + 1) }
        }
        @for (index, (line, is_settings)) in names(front, tell).iter().enumerate() {
            @let y = at(top + 4.0 + NAME_HEIGHT * (index as f64 + 1.0));
            @if *is_settings {
                text.settings x=(at(NAMES + 18.0)) y=(y) { (line) }
            } @else {
                text.name x=(at(NAMES)) y=(y) { (line) }
            }
        }
    }
}

/// What stands beside a plot: of each point of the front its machine and figures, and
/// below them its settings.
fn names(front: &[&ParetoPoint], tell: impl Fn(&ParetoPoint) -> String) -> Vec<(String, bool)> {
    let mut lines = Vec::new();
    for (index, point) in front.iter().enumerate() {
        let line = format!("{}. {}: {}", index + 1, point.machine, tell(point));
        lines.push((line, false));
        lines.extend(point.settings_lines().into_iter().map(|line| (line, true)));
    }
    lines
}

/// The corners of the line below which no point lies.
fn steps(front: &[&ParetoPoint], x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut corners = Vec::new();
    let mut before = None;
    for point in front {
        let (x, y) = (x(point.time_us), y(point.energy_uj));
        if let Some(before) = before {
            corners.push(format!("{x:.2},{before:.2}"));
        }
        corners.push(format!("{x:.2},{y:.2}"));
        before = Some(y);
    }
    corners.join(" ")
}

impl Unit {
    /// A tick, which is a round number, in this unit.
    fn tick(self, value: f64) -> String {
        let value = self.value(value);
        let digits = (0..9).find(|&digits| {
            let scale = 10_f64.powi(digits);
            ((value * scale).round() / scale - value).abs() < 1e-9 * value.abs()
        });
        number::fixed(value, digits.unwrap_or(9) as usize)
    }
}
