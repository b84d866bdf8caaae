//! Is the page whole, safe and steady, whatever the report holds?

mod markup;

use dtatrans_report::{Difference, HeatMap, Report, TierShares, render};

use markup::{Element, assert_finite, read, sections, with_class};

/// A made-up report; nothing of it was measured.
fn fixture() -> Report {
    serde_json::from_str(include_str!("data/report.json")).expect("the fixture is a report")
}

/// A sentence of so many tokens through so many layers.
fn heat_map(tokens: Vec<String>, layers: usize) -> HeatMap {
    let count = tokens.len();
    let tier = |index: usize| [8, 4, 0][index % 3];
    HeatMap {
        text: tokens.join(" "),
        tokens,
        tiers: (0..layers)
            .map(|layer| (0..count).map(|token| tier(layer + token)).collect())
            .collect(),
        importance: (0..layers)
            .map(|layer| {
                (0..count)
                    .map(|token| (layer * token) as f32 / 64.0)
                    .collect()
            })
            .collect(),
    }
}

#[test]
fn the_page_is_well_formed_and_has_every_section() {
    let elements = read(&render(&fixture()));
    assert_eq!(
        sections(&elements),
        [
            "sentence",
            "tiers",
            "accuracy",
            "savings",
            "machines",
            "cycles",
            "over-time",
            "ladder",
            "plan",
            "method"
        ]
    );
    assert_finite(&elements);
}

#[test]
fn the_page_needs_nothing_beyond_itself() {
    let page = render(&fixture());
    for reference in ["http://", "https://", "src=", "url(", "@import", "fetch("] {
        assert!(!page.contains(reference), "{reference}");
    }
    for element in read(&page) {
        let href = element.get("href");
        assert!(
            href.is_empty() || href.starts_with('#') || href == "data:,",
            "{href}"
        );
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(render(&fixture()), render(&fixture()));
}

#[test]
fn headline_figures_are_the_plan_s_and_the_first_machine_s() {
    let report = fixture();
    let elements = read(&render(&report));
    let figures: Vec<&str> = with_class(&elements, "p", "figure")
        .iter()
        .map(|element| element.text.as_str())
        .collect();
    assert_eq!(
        figures,
        [
            "0.75points",
            "81.3%",
            "60.7%",
            "3.10×",
            "2.90×",
            "3.70×",
            "4.20×",
            "9.80×",
            "8.40×"
        ]
    );
    let verdict = &with_class(&elements, "p", "verdict")[0].text;
    assert!(verdict.starts_with("not resolved"), "{verdict}");
}

#[test]
fn a_gain_in_accuracy_is_no_loss() {
    let mut report = fixture();
    report.accuracy[3].difference = Some(Difference {
        points: 0.4,
        low: 0.1,
        high: 0.7,
        resolved: true,
    });
    let elements = read(&render(&report));
    assert_eq!(with_class(&elements, "p", "figure")[0].text, "0.00points");
    let verdict = &with_class(&elements, "p", "verdict")[0].text;
    assert!(verdict.starts_with("resolved"), "{verdict}");
}

#[test]
fn the_heat_map_shows_each_token_and_tier() {
    let report = fixture();
    let elements = read(&render(&report));
    let tokens: Vec<&str> = elements
        .iter()
        .filter(|element| element.get("role") == "columnheader")
        .map(|element| element.text.as_str())
        .collect();
    assert_eq!(tokens, report.heat_map.tokens);
    let digits: Vec<String> = elements
        .iter()
        .filter(|element| element.name == "td" && element.get("class").starts_with("tier-"))
        .map(|element| element.text.clone())
        .collect();
    let tiers = report.heat_map.tiers.concat();
    assert_eq!(digits, tiers.iter().map(u32::to_string).collect::<Vec<_>>());
}

#[test]
fn texts_show_as_they_are() {
    let hostile = [
        "<b>",
        "</td></table>",
        "<script>alert(1)</script>",
        "\" onmouseover=\"alert(1)",
        "' & &amp; &lt;",
        "##ing",
        "😀👩‍🚀",
        "עברית",
        "]]>",
        "<!--",
        "  ",
        "",
    ];
    let mut report = fixture();
    let harmless = read(&render(&report))
        .iter()
        .filter(|element| element.name == "script")
        .count();
    report.heat_map = heat_map(hostile.map(String::from).to_vec(), 3);
    let all = hostile.join(" ");
    report.notes = vec![all.clone()];
    for text in [
        &mut report.plan_toml,
        &mut report.plan_variant,
        &mut report.run.model,
        &mut report.run.data,
        &mut report.run.version,
        &mut report.run.date,
        &mut report.run.processor,
        &mut report.run.instruction_set,
        &mut report.run.system,
        &mut report.run.phases[0].name,
        &mut report.accuracy[1].variant,
        &mut report.savings[1].variant,
    ] {
        *text = all.clone();
    }
    for simulation in [&mut report.attention, &mut report.encoder] {
        let machine = &mut simulation.machines[0];
        for text in [
            &mut machine.name,
            &mut machine.description,
            &mut machine.multipliers,
            &mut machine.energy_parts_uj[0].name,
            &mut machine.cycles_by_cause[0].name,
        ] {
            *text = all.clone();
        }
    }
    let elements = read(&render(&report));
    let tokens: Vec<&str> = elements
        .iter()
        .filter(|element| element.get("role") == "columnheader")
        .map(|element| element.text.as_str())
        .collect();
    assert_eq!(tokens, hostile);
    let names = ["dd", "th", "title", "b", "pre", "blockquote"];
    for name in names {
        let shows =
            |element: &Element| element.name == name && element.text.contains(all.trim_end());
        assert!(elements.iter().any(shows), "{name}");
    }
    let scripts = elements
        .iter()
        .filter(|element| element.name == "script")
        .count();
    assert_eq!(scripts, harmless);
    let handler = |name: &String| name.starts_with("on");
    assert!(
        !elements
            .iter()
            .any(|element| element.attributes.keys().any(handler))
    );
}

#[test]
fn control_characters_become_visible() {
    let mut report = fixture();
    report.heat_map.tokens[1] = "a\0b\u{1b}c\u{7f}d\r".into();
    let page = render(&report);
    read(&page);
    assert!(page.contains("a␀b␛c\u{fffd}d␍"));
    assert!(
        !page.contains(|character: char| character.is_control() && !"\n\t".contains(character))
    );
}

#[test]
fn one_token_and_one_layer_make_a_page() {
    let mut report = fixture();
    report.heat_map = heat_map(vec!["[CLS]".into()], 1);
    report.tier_shares.truncate(1);
    report.attention.machines.truncate(1);
    report.encoder.machines.clear();
    report.accuracy.truncate(1);
    report.savings.clear();
    report.notes.clear();
    report.run.phases.clear();
    report.run.layers = 1;
    let elements = read(&render(&report));
    assert_finite(&elements);
    assert!(with_class(&elements, "div", "tile").is_empty());
    assert!(with_class(&elements, "div", "notes").is_empty());
    assert!(!sections(&elements).contains(&"savings"));
    let headings: Vec<&str> = elements
        .iter()
        .filter(|element| element.name == "h3")
        .map(|element| element.text.as_str())
        .collect();
    assert!(
        !headings
            .iter()
            .any(|heading| heading.starts_with("Encoder")),
        "{headings:?}"
    );
}

#[test]
fn long_sentences_and_deep_models_make_a_page() {
    let mut report = fixture();
    let tokens = (0..512).map(|token| format!("{token}{}", "x".repeat(token % 90)));
    report.heat_map = heat_map(tokens.collect(), 24);
    report.tier_shares = vec![report.tier_shares[0]; 24];
    let elements = read(&render(&report));
    assert_finite(&elements);
    assert_eq!(with_class(&elements, "table", "long").len(), 1);
    let cells = |element: &&Element| element.get("role") == "cell";
    assert_eq!(elements.iter().filter(cells).count(), 1 + 24 * 512);
}

#[test]
fn a_report_without_data_is_still_a_page() {
    let mut report = fixture();
    report.heat_map = heat_map(Vec::new(), 0);
    report.tier_shares.clear();
    report.accuracy.clear();
    report.savings.clear();
    report.attention.machines.clear();
    report.encoder.machines.clear();
    report.over_time = None;
    report.ladder = None;
    report.plan_toml.clear();
    let elements = read(&render(&report));
    assert_finite(&elements);
    assert_eq!(sections(&elements), ["method"]);
}

#[test]
fn lists_of_unequal_length_make_a_page() {
    let mut report = fixture();
    report.heat_map.tiers[0].clear();
    report.heat_map.tiers[1].extend([8; 40]);
    report.heat_map.tiers[2][0] = 16;
    report.heat_map.importance.truncate(2);
    report.heat_map.importance[0].truncate(1);
    report.attention.machines[1].cycles_by_cause.clear();
    report.over_time.as_mut().unwrap().shares[1].truncate(1);
    report.over_time.as_mut().unwrap().shares[2].clear();
    report.attention.machines[2].energy_parts_uj.truncate(1);
    report.ladder.as_mut().unwrap().rungs[0].speed.clear();
    assert_finite(&read(&render(&report)));
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
        -0.0,
        -1.0,
    ];
    for value in values {
        let mut report = fixture();
        report.tier_shares = vec![
            TierShares {
                eight: value,
                four: value,
                zero: value
            };
            2
        ];
        for row in &mut report.accuracy {
            row.accuracy = value;
            row.texts_per_second = value;
            row.mean_cosine = row.mean_cosine.map(|_| value);
            row.difference = row.difference.map(|difference| Difference {
                points: value,
                low: value,
                high: value,
                ..difference
            });
        }
        for row in &mut report.savings {
            row.attention = value;
            row.encoder = value;
        }
        for row in &mut report.heat_map.importance {
            row.fill(value as f32);
        }
        for simulation in [&mut report.attention, &mut report.encoder] {
            for machine in &mut simulation.machines {
                machine.cycles = u64::MAX;
                machine.clock_mhz = value;
                machine.time_us = value;
                machine.energy_uj = value;
                machine.effective_gops = value;
                machine.first_speedup = Some(value);
                machine.first_energy_gain = Some(value);
                let parts = machine.energy_parts_uj.iter_mut();
                for part in parts.chain(&mut machine.cycles_by_cause) {
                    part.value = value;
                }
            }
        }
        for shares in &mut report.over_time.as_mut().unwrap().shares {
            shares.fill(value);
        }
        for rung in &mut report.ladder.as_mut().unwrap().rungs {
            rung.effective_gops = value;
            rung.accuracy = value;
            rung.speed.fill(value);
            rung.energy_gain.fill(value);
        }
        for phase in &mut report.run.phases {
            phase.seconds = value;
        }
        assert_finite(&read(&render(&report)));
    }
}

#[test]
fn a_machine_without_gains_has_no_bars_of_gains() {
    let mut report = fixture();
    let machine = &mut report.attention.machines[1];
    machine.first_speedup = None;
    machine.first_energy_gain = None;
    let name = machine.name.clone();
    report.encoder.machines.clear();
    let elements = read(&render(&report));
    let groups = |element: &&Element| element.get("scope") == "rowgroup";
    let groups: Vec<&str> = elements
        .iter()
        .filter(groups)
        .map(|element| element.text.as_str())
        .collect();
    assert_eq!(groups, ["over spatten-eighth", "over eyeriss-1ghz"]);
    let rows = |element: &&Element| element.name == "th" && element.text == name;
    assert!(
        elements.iter().any(|element| rows(&element)),
        "it stays in the tables"
    );
}
