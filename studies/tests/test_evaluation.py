"""Is each evaluation run once, whatever happens, and again only where something has
changed?"""

import json
import signal
import time

from tests.workplace import Workplace, write, write_plan

# Evaluations of `importance --quick`: one without tiers and one per form, on three
# tasks.
IMPORTANCE = 11 + 11 + 8


class Evaluations(Workplace):
    def test_a_study_runs_once_and_gives_the_same_bytes(self):
        status, out, errors = self.run_study("importance", "--quick")
        self.assertEqual((status, errors.count("Traceback")), (0, 0), errors)
        noted = self.noted()
        self.assertEqual(noted.count("plan"), IMPORTANCE)
        # One run at f32 for all plans of a task, and one prior for each.
        self.assertEqual((noted.count("f32"), noted.count("calibrate")), (3, 3))
        self.assertIn("about", errors)
        self.assertIn("done", errors)
        results = self.results("importance")
        self.assertEqual(set(results), {"importance.csv", "importance.svg", "importance.json"})

        status, again, errors = self.run_study("importance", "--quick")
        self.assertEqual((status, again, self.noted()), (0, out, []))
        self.assertIn(f"{IMPORTANCE} of {IMPORTANCE} evaluations are known already", errors)
        self.assertEqual(self.results("importance"), results)

    def test_every_result_says_where_it_comes_from(self):
        status, out, errors = self.run_study("importance", "--quick", "--seed", "5", "--json")
        self.assertEqual(status, 0, errors)
        document = json.loads(out)
        for value in (document["date"], document["machine"], document["commit"], "seed: 5", "--seed 5"):
            for name, content in self.results("importance").items():
                if not name.endswith("json"):
                    # The notes of a chart are wrapped.
                    self.assertIn(value.split()[0], content, name)
        self.assertEqual(document["seed"], 5)
        self.assertTrue(any("STS-B dev" in split for split in document["splits"]))
        self.assertEqual(len(document["rows"]), IMPORTANCE)
        self.assertNotIn(str(self.folder), json.dumps(document))

    def test_a_killed_study_goes_on_where_it_was(self):
        process = self.start("importance", "--quick", FAKE_HANG="4")
        kept = self.folder / "cache" / "evaluations"
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        deadline = time.monotonic() + 60
        while not kept.exists() or len(list(kept.glob("*.json"))) < 4:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 128 + signal.SIGTERM)
        self.assertEqual(self.noted().count("plan"), 4)
        self.assertFalse((self.folder / "output").exists())

        status, _, errors = self.run_study("importance", "--quick")
        self.assertEqual(status, 0, errors)
        self.assertEqual(self.noted().count("plan"), IMPORTANCE - 4)
        self.assertEqual(list(kept.glob(".*")), [])

    def test_a_half_written_entry_is_run_again(self):
        self.run_study("importance", "--quick")
        entry = min((self.folder / "cache" / "evaluations").iterdir())
        entry.write_text(entry.read_text()[:40])
        self.noted()
        self.assertEqual(self.run_study("importance", "--quick")[0], 0)
        self.assertEqual(self.noted(), ["f32", "plan"])

    def test_what_an_evaluation_depends_on(self):
        self.run_study("importance", "--quick")
        self.noted()
        # The model of one task.
        write(self.folder / "models" / "minilm-sst2" / "more.json", "{}")
        self.run_study("importance", "--quick")
        self.assertEqual(self.noted().count("plan"), 11)
        # Its data.
        data = self.folder / "data" / "stsb" / "dev.tsv"
        write(data, data.read_text().replace("\n", " \n", 2))
        self.run_study("importance", "--quick")
        self.assertEqual(self.noted().count("plan"), 11)
        # The seed, and the program.
        self.run_study("importance", "--quick", "--seed", "1")
        self.assertEqual(self.noted().count("plan"), IMPORTANCE)
        self.fake_program(more="\n")
        self.run_study("importance", "--quick")
        self.assertEqual(self.noted().count("plan"), IMPORTANCE)

    def test_studies_share_what_they_have_in_common(self):
        self.run_study("importance", "--quick")
        self.noted()
        status, _, errors = self.run_study("compensation", "--quick")
        self.assertEqual(status, 0, errors)
        # All tokens at 4 bits, of two tasks.
        self.assertIn("2 of 22 evaluations are known already", errors)

    def test_plans_are_calibrated_once_unless_they_bring_it(self):
        self.run_study("compensation", "--quick")
        self.assertEqual(self.noted().count("calibrate"), 2 * 4)
        path = self.folder / "plans" / "long-text" / "mine.toml"
        write_plan(path, compensation="keys-values+predict")
        status, _, errors = self.run_study("long", "--quick")
        self.assertEqual(status, 0, errors)
        self.assertEqual(self.noted().count("calibrate"), 1)
        write(path, 'calibration = "mine.safetensors"\n' + path.read_text())
        write(path.with_name("mine.safetensors"), "maps")
        self.run_study("long", "--quick")
        noted = self.noted()
        self.assertEqual((noted.count("calibrate"), noted.count("plan")), (0, 1))

    def test_where_texts_are_few_half_of_the_tokens_calibrate(self):
        path = self.folder / "plans" / "long-text" / "mine.toml"
        write_plan(path, r0=0.25, compensation="keys-values+predict")
        status, _, errors = self.run_study("long", "--quick", FAKE_FEW="yes")
        self.assertEqual(status, 0, errors)
        self.assertEqual(self.noted().count("calibrate"), 2)
        self.assertIn("at least 10 are needed; calibrated as if half", errors)

    def results(self, study):
        paths = (self.folder / "output").iterdir()
        return {path.name: path.read_text() for path in paths if path.stem == study}


class Mistakes(Workplace):
    def test_wrong_usage_exits_with_2(self):
        for arguments in (["nothing"], ["long", "--threads", "0"], ["long", "--seed", "x"]):
            status, out, errors = self.run_study(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertIn("usage: studies/run", errors)

    def test_what_is_missing_is_named(self):
        for place, study, said in [
            ("data/stsb/dev.tsv", "tolerance", "dev.tsv: no such file. It belongs to STS-B"),
            ("models/minilm-sst2/config.json", "tolerance", "minilm-sst2"),
        ]:
            path = self.folder / place
            content = path.read_text()
            path.unlink()
            if place.startswith("models"):
                path.parent.rmdir()
            status, out, errors = self.run_study(study)
            self.assertEqual((status, out, errors.count("\n")), (1, "", 1), errors)
            self.assertIn(said, errors)
            self.assertIn("studies/README.md", errors)
            write(path, content)
        status, _, errors = self.run_study("long", "--quick", DTATRANS="/no/such/program")
        self.assertEqual(status, 1)
        self.assertIn("DTATRANS=/no/such/program: no such program", errors)

    def test_an_error_of_the_program_is_passed_on_and_results_stay(self):
        self.run_study("long", "--quick")
        before = (self.folder / "output" / "long.json").read_bytes()
        status, _, errors = self.run_study("long", "--quick", "--seed", "1", FAKE_FAIL="1")
        self.assertEqual(status, 1)
        self.assertIn("error: dtatrans eval: --plan x.toml: something is wrong", errors)
        self.assertNotIn("Traceback", errors)
        self.assertEqual((self.folder / "output" / "long.json").read_bytes(), before)

    def test_no_chosen_plans_are_said_to_be_missing(self):
        status, out, errors = self.run_study("pareto", "--quick")
        self.assertEqual(status, 0, errors)
        self.assertEqual(errors.count("no plans there"), 5)
        self.assertIn("SpAtten", out)
        status, out, errors = self.run_study("headline", "--quick")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("stsb/headline.toml", errors)
