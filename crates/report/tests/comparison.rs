//! Is the page of a comparison whole, safe and steady, and are its rooflines honest?

mod markup;

use dtatrans_report::{Comparison, Gains, render_comparison};

use markup::{Element, assert_finite, read, sections, with_class};

/// A made-up comparison; nothing of it was measured.
fn fixture() -> Comparison {
    serde_json::from_str(include_str!("data/comparison.json")).expect("the fixture is a comparison")
}

/// The attention of the first trace on the first machine alone, the roofline's only point.
fn one_point() -> Comparison {
    let mut comparison = fixture();
    comparison.machines.truncate(1);
    comparison.traces.truncate(1);
    comparison.scopes.truncate(1);
    let scope = &mut comparison.scopes[0];
    scope.rows.truncate(1);
    scope.sums.clear();
    scope.gains.clear();
    comparison
}

/// Where circles of a class stand: x as a share in per cent, y in pixels from the top.
fn circles(elements: &[Element], class: &str) -> Vec<(f64, f64)> {
    let number = |text: &str| text.trim_end_matches('%').parse().expect("a number");
    with_class(elements, "circle", class)
        .iter()
        .filter(|circle| circle.get("cx").ends_with('%'))
        .map(|circle| (number(circle.get("cx")), number(circle.get("cy"))))
        .collect()
}

#[test]
fn the_page_is_well_formed_and_has_every_section() {
    let page = render_comparison(&fixture());
    assert_eq!(page, render_comparison(&fixture()));
    let elements = read(&page);
    assert_eq!(
        sections(&elements),
        ["machines", "figures", "roofline", "cycles"]
    );
    assert_finite(&elements);
    for reference in ["http://", "https://", "src=", "url(", "@import", "fetch("] {
        assert!(!page.contains(reference), "{reference}");
    }
    // The encoder has no machine that runs the attention only.
    assert_eq!(circles(&elements, "executed").len(), 2 * 3 + 2 * 2);
    assert_eq!(circles(&elements, "dense-equivalent").len(), 2 * 3 + 2 * 2);
    assert!(with_class(&elements, "p", "verdict").is_empty());
}

#[test]
fn causes_and_both_energies_stand_side_by_side() {
    let elements = read(&render_comparison(&fixture()));
    let headings: Vec<&str> = elements
        .iter()
        .filter(|element| element.name == "h3")
        .map(|element| element.text.as_str())
        .collect();
    for (title, has_dram) in [
        ("Energy by part, with DRAM", true),
        ("Energy by part, on the chip", false),
    ] {
        assert!(headings.contains(&title), "{headings:?}");
        let bars = elements
            .iter()
            .filter(|element| element.get("class") == "stack" && element.text.contains(title));
        let bars: Vec<&Element> = bars.collect();
        // Of the sums over both traces.
        assert_eq!(bars.len(), 3 + 2);
        assert!(
            bars.iter()
                .all(|bar| bar.text.contains("DRAM: ") == has_dram)
        );
    }
    assert!(headings.contains(&"Cycles by cause"), "{headings:?}");
}

/// On a line of `dram_gbps` x intensity at the left and of the peak at the right.
#[test]
fn points_stand_where_their_values_are() {
    let mut comparison = one_point();
    let (peak, gbps) = (1000.0, 10.0);
    comparison.machines[0].peak_executed_gops = peak;
    comparison.machines[0].dram_gbps = gbps;
    let row = &mut comparison.scopes[0].rows[0];
    row.executed_operations_per_dram_byte = Some(10.0);
    row.executed_gops = gbps * 10.0;
    row.dense_equivalent_gops = 10_000.0;
    let elements = read(&render_comparison(&comparison));
    let (executed, dense) = (
        circles(&elements, "executed"),
        circles(&elements, "dense-equivalent"),
    );
    // Powers from 10 to 100 across, from 100 to 10,000 up, over 320 pixels.
    assert_eq!(executed, [(0.0, 320.0)]);
    assert_eq!(dense, [(0.0, 0.0)]);
    let ends: Vec<[String; 4]> = with_class(&elements, "line", "roof")
        .iter()
        .map(|line| ["x1", "y1", "x2", "y2"].map(|name| line.get(name).to_owned()))
        .collect();
    assert_eq!(
        ends,
        [
            ["0.000%", "320.00", "100.000%", "160.00"].map(String::from),
            ["100.000%", "160.00", "100%", "160.00"].map(String::from)
        ]
    );
}

#[test]
fn a_rate_above_its_roof_is_shown_above_it() {
    let mut comparison = one_point();
    let peak = comparison.machines[0].peak_executed_gops;
    let row = &mut comparison.scopes[0].rows[0];
    row.executed_gops = 20.0 * peak;
    row.dense_equivalent_gops = peak;
    let elements = read(&render_comparison(&comparison));
    let point = circles(&elements, "executed")[0].1;
    let dense = circles(&elements, "dense-equivalent")[0].1;
    let roof: f64 = with_class(&elements, "line", "roof")[1]
        .get("y1")
        .parse()
        .expect("a number");
    assert!(
        point > 0.0,
        "{point}: within the drawing, not clipped to its edge"
    );
    assert!(point < roof, "{point} stands above {roof}");
    assert!((dense - roof).abs() < 0.01, "{dense} stands on {roof}");
    let verdict = &with_class(&elements, "p", "verdict")[0].text;
    assert!(
        verdict.starts_with("Above its roof: vssa-512") && verdict.contains("2,000"),
        "{verdict}"
    );
}

#[test]
fn a_machine_without_the_scope_or_without_traffic_has_no_point() {
    let mut comparison = one_point();
    comparison.scopes[0].rows[0].executed_operations_per_dram_byte = None;
    comparison.scopes[0].rows[0].gains = None;
    let elements = read(&render_comparison(&comparison));
    assert_eq!(sections(&elements), ["machines", "figures", "cycles"]);
    assert_finite(&elements);
    comparison.scopes.clear();
    comparison.machines.clear();
    assert!(sections(&read(&render_comparison(&comparison))).is_empty());
}

#[test]
fn texts_show_as_they_are() {
    let hostile = "</td><script>alert(1)</script>\" onmouseover=\"x' & &amp; עברית ]]> <!--";
    let mut comparison = fixture();
    let scripts = |page: &str| {
        let elements = read(page);
        let scripts = elements.iter().filter(|element| element.name == "script");
        scripts.count()
    };
    let harmless = scripts(&render_comparison(&comparison));
    for text in [
        &mut comparison.version,
        &mut comparison.date,
        &mut comparison.base,
    ] {
        *text = hostile.into();
    }
    let trace = &mut comparison.traces[0];
    trace.remark = Some(hostile.into());
    for text in [&mut trace.name, &mut trace.model, &mut trace.plan] {
        *text = hostile.into();
    }
    let machine = &mut comparison.machines[0];
    for text in [&mut machine.name, &mut machine.kind, &mut machine.fed] {
        *text = hostile.into();
    }
    for scope in &mut comparison.scopes {
        scope.name = hostile.into();
        scope.what = hostile.into();
        scope.gains[0].machine = hostile.into();
        for row in scope.rows.iter_mut().chain(&mut scope.sums) {
            row.trace = hostile.into();
            row.machine = hostile.into();
            row.cycles_by_cause[0].name = hostile.into();
            row.energy_on_chip_parts_uj[0].name = hostile.into();
        }
    }
    let page = render_comparison(&comparison);
    assert_eq!(scripts(&page), harmless);
    let elements = read(&page);
    let handler = |name: &String| name.starts_with("on");
    let mut handlers = elements
        .iter()
        .flat_map(|element| element.attributes.keys());
    assert!(!handlers.any(handler));
    let shown = |element: &&Element| element.name == "th" && element.text.contains(hostile);
    assert!(elements.iter().filter(shown).count() > 3);
}

#[test]
fn no_value_breaks_the_page() {
    let values = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        0.0,
        -1.0,
    ];
    for value in values {
        for roofs in [false, true] {
            let mut comparison = fixture();
            for machine in comparison.machines.iter_mut().filter(|_| roofs) {
                machine.clock_ghz = value;
                machine.dram_gbps = value;
                machine.peak_executed_gops = value;
            }
            let gains = Gains {
                speedup: value,
                energy_with_dram_gain: value,
                energy_on_chip_gain: value,
            };
            for scope in &mut comparison.scopes {
                for row in scope.rows.iter_mut().chain(&mut scope.sums) {
                    row.cycles = u64::MAX;
                    row.dram_bytes = u64::MAX;
                    row.executed_operations_per_dram_byte = Some(value);
                    row.gains = Some(gains);
                    for field in [
                        &mut row.time_us,
                        &mut row.utilisation,
                        &mut row.executed_gops,
                        &mut row.dense_equivalent_gops,
                        &mut row.energy_with_dram_uj,
                        &mut row.energy_on_chip_uj,
                        &mut row.dense_equivalent_gop_per_joule_with_dram,
                        &mut row.dense_equivalent_gop_per_joule_on_chip,
                    ] {
                        *field = value;
                    }
                    let parts = row.cycles_by_cause.iter_mut();
                    for part in parts.chain(&mut row.energy_on_chip_parts_uj) {
                        part.value = value;
                    }
                }
                for row in &mut scope.gains {
                    row.geometric_mean = gains;
                    row.minimum = gains;
                }
            }
            assert_finite(&read(&render_comparison(&comparison)));
        }
    }
}
