//! Is the plot well formed, and does it show all points, with the front named?

mod markup;

use dtatrans_report::{ParetoPanel, ParetoPlot, ParetoPoint, render_pareto};
use markup::Element;

fn point(settings: &str, time_us: f64, energy_uj: f64, on_front: bool) -> ParetoPoint {
    ParetoPoint {
        machine: "a <machine> & \"more\"".into(),
        settings: settings.into(),
        time_us,
        energy_uj,
        on_front,
    }
}

fn plot(points: Vec<ParetoPoint>) -> ParetoPlot {
    ParetoPlot {
        title: "encoder".into(),
        panels: vec![ParetoPanel {
            title: "recorded".into(),
            points,
        }],
    }
}

/// The elements of a plot, which must be well formed.
fn read(plot: &ParetoPlot) -> Vec<Element> {
    let svg = render_pareto(plot);
    assert_eq!(svg, render_pareto(plot));
    markup::read(&format!("<!DOCTYPE html>{svg}"))
}

fn position(element: &Element) -> (f64, f64) {
    let number = |name: &str| element.get(name).parse().unwrap();
    (number("cx"), number("cy"))
}

#[test]
fn quicker_is_left_and_less_energy_is_below() {
    let elements = read(&plot(vec![
        point("slow", 4000.0, 10.0, true),
        point("quick", 1000.0, 90.0, true),
        point("beaten", 4000.0, 90.0, false),
    ]));
    // The first circle is the colour's in the legend.
    let circles: Vec<&Element> = elements
        .iter()
        .filter(|element| element.name == "circle")
        .collect();
    let [_, beaten, quick, slow] = circles[..] else {
        panic!("{circles:?}");
    };
    assert!(beaten.text.contains("beaten: 4.000") && quick.text.contains("quick: 1.000"));
    let [beaten, quick, slow] = [beaten, quick, slow].map(position);
    assert!(quick.0 < slow.0 && quick.1 < slow.1);
    assert_eq!(beaten, (slow.0, quick.1));

    let names = elements
        .iter()
        .filter(|element| element.get("class") == "name");
    let names: Vec<&str> = names.map(|element| element.text.as_str()).collect();
    assert!(
        names[0].starts_with("1. a <machine> & \"more\": 1.000"),
        "{names:?}"
    );
    assert!(
        names[1].starts_with("2. a <machine> & \"more\": 4.000"),
        "{names:?}"
    );
    let front = elements
        .iter()
        .find(|element| element.name == "polyline")
        .unwrap();
    assert_eq!(front.get("points").split(' ').count(), 3);
}

#[test]
fn what_cannot_be_drawn_is_left_out() {
    for points in [
        vec![],
        vec![point("", 1.0, 1.0, true)],
        vec![
            point("a", 0.0, 1.0, true),
            point("b", f64::NAN, f64::INFINITY, false),
        ],
        vec![point("a", 1e-9, 1e12, true), point("b", 1e12, 1e-9, true)],
    ] {
        let drawn = points.iter().filter(|point| point.time_us > 0.0).count();
        let elements = read(&plot(points.clone()));
        let circles = elements
            .iter()
            .filter(|element| element.name == "circle")
            .count();
        let legend = usize::from(!points.is_empty());
        assert_eq!(circles, legend + drawn, "{points:?}");
    }
}
