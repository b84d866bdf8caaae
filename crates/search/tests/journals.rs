//! Does a search that was stopped go on as if it had not been, and is a journal
//! that is not its own refused?

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dtatrans_search::journal::VERSION;
use dtatrans_search::{Evaluated, Header, Journal, JournalError, PlanSpace, Search, Strategy};
use serde_json::{Value, json};
use support::Synthetic;

const EVALUATIONS: usize = 70;
const BUDGET: f64 = 1.0;

fn settings() -> BTreeMap<String, Value> {
    BTreeMap::from([("data".to_owned(), json!({"bytes": 12, "sha256": "ab"}))])
}

fn fresh(synthetic: &Synthetic, strategy: Strategy) -> Search<PlanSpace> {
    synthetic.search(strategy, 3, EVALUATIONS, BUDGET)
}

/// Opens the journal and evaluates until `stop` evaluations are there.
fn go_on(path: &Path, synthetic: &Synthetic, strategy: Strategy, stop: usize) -> Vec<Evaluated> {
    let mut search = fresh(synthetic, strategy);
    let header = Header::new(&search, settings());
    let (mut journal, told) = Journal::open(path, &header, &mut search).unwrap();
    assert_eq!(told, search.history().len());
    while search.history().len() < stop {
        let Some(candidate) = search.ask() else { break };
        let evaluation = synthetic.evaluate(&candidate);
        journal.append(&candidate, &evaluation).unwrap();
        search.tell(candidate, evaluation);
    }
    search.history().to_vec()
}

/// Killed after any number of evaluations, and at any byte of a line, a search
/// ends with the same journal and the same result.
#[test]
fn a_stopped_search_ends_with_the_same_bytes() {
    let synthetic = Synthetic::new(4, 1);
    let folder = tempfile::tempdir().unwrap();
    for strategy in Strategy::ALL {
        let whole = folder.path().join("whole.jsonl");
        let want = go_on(&whole, &synthetic, strategy, EVALUATIONS);
        let bytes = fs::read(&whole).unwrap();
        fs::remove_file(&whole).unwrap();
        assert_eq!(want.len(), EVALUATIONS);
        let path = folder.path().join("stopped.jsonl");
        let cuts = [
            0,
            1,
            20,
            2000,
            bytes.len() / 2,
            bytes.len() - 1,
            bytes.len(),
        ];
        for cut in cuts {
            fs::write(&path, &bytes[..cut]).unwrap();
            let got = go_on(&path, &synthetic, strategy, EVALUATIONS);
            assert_eq!(got, want, "{} cut at {cut}", strategy.name());
            assert_eq!(fs::read(&path).unwrap(), bytes, "cut at {cut}");
        }
        fs::remove_file(&path).unwrap();
        // Several stops.
        for stop in [0, 1, 13, 40, 41, EVALUATIONS] {
            go_on(&path, &synthetic, strategy, stop);
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_journal_of_other_settings_is_refused_by_the_setting() {
    let synthetic = Synthetic::new(4, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    go_on(&path, &synthetic, Strategy::Joint, 5);
    let bytes = fs::read(&path).unwrap();
    let refused = |search: &mut Search<PlanSpace>, settings: BTreeMap<String, Value>| {
        let header = Header::new(search, settings);
        let error = Journal::open(&path, &header, search)
            .err()
            .expect("refused");
        assert!(matches!(error, JournalError::Differs { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
        error.to_string()
    };
    let mut seed = synthetic.search(Strategy::Joint, 4, EVALUATIONS, BUDGET);
    let error = refused(&mut seed, settings());
    assert!(error.contains("seed is 3 there, and 4 here"), "{error}");
    let mut budget = synthetic.search(Strategy::Joint, 3, EVALUATIONS, 2.0);
    assert!(refused(&mut budget, settings()).contains("budget is {\"loss\":1.0} there"));
    let mut random = fresh(&synthetic, Strategy::Random);
    assert!(refused(&mut random, settings()).contains("strategy is \"joint\" there"));
    let mut finer =
        Synthetic::with(4, 0.05, 1, true).search(Strategy::Joint, 3, EVALUATIONS, BUDGET);
    assert!(refused(&mut finer, settings()).contains("gene 1 is"));
    let mut data = settings();
    data.insert("data".into(), json!({"bytes": 13, "sha256": "cd"}));
    let error = refused(&mut fresh(&synthetic, Strategy::Joint), data);
    assert!(error.contains("data is {\"bytes\":12"), "{error}");
    let error = refused(&mut fresh(&synthetic, Strategy::Joint), BTreeMap::new());
    assert!(error.contains("and absent here"), "{error}");
}

#[test]
fn what_is_no_journal_is_refused_with_its_line_and_left_alone() {
    let synthetic = Synthetic::new(4, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    go_on(&path, &synthetic, Strategy::Joint, 3);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let header = lines[0];
    let second = lines[1];
    for (text, want) in [
        ("precious text".to_owned(), "line 1: is no header"),
        ("precious text\n".to_owned(), "line 1: "),
        (
            header.replacen(&format!("\"version\":{VERSION}"), "\"version\":9", 1) + "\n",
            "line 1: format \"dtatrans-search\" version 9",
        ),
        (format!("{header}\nnot json\n"), "line 2: "),
        (
            format!("{header}\n{second}\n{second}\n"),
            "line 3: candidate: ",
        ),
        (
            format!("{header}\n{}\n", second.replacen('[', "[9999,", 1)),
            "line 2: candidate: ",
        ),
        (
            format!("{header}\n{}\n", second.replacen("\"loss\"", "\"los\"", 1)),
            "line 2: unknown field `los`",
        ),
        (
            format!(
                "{header}\n{}\n",
                second.replacen("\"cost\":", "\"cost\":1e999,\"c\":", 1)
            ),
            "line 2: ",
        ),
    ] {
        fs::write(&path, &text).unwrap();
        let mut search = fresh(&synthetic, Strategy::Joint);
        let header = Header::new(&search, settings());
        let error = Journal::open(&path, &header, &mut search)
            .err()
            .expect(want)
            .to_string();
        assert!(
            error.contains("journal.jsonl") && error.contains(want),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn only_one_search_writes_a_journal() {
    let synthetic = Synthetic::new(4, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut search = fresh(&synthetic, Strategy::Joint);
    let header = Header::new(&search, settings());
    let open = Journal::open(&path, &header, &mut search).unwrap();
    let error = Journal::open(&path, &header, &mut search).err().unwrap();
    assert!(matches!(error, JournalError::Busy { .. }), "{error}");
    drop(open);
    assert!(Journal::open(&path, &header, &mut search).is_ok());
    let missing = folder.path().join("no/such/folder");
    let error = Journal::open(&missing, &header, &mut search).err().unwrap();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
}
