//! `dtatrans run --chat`: a conversation by the model's own template.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context as _, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{ChatTemplate, Context, Finish, Generated, Message, Prompt};
use dtatrans_model::{Decoder, DecoderCheckpoint};

use super::generation::{answer, show};
use super::watch::{TextStats, Watch};
use crate::args::RunCommandArguments;
use crate::{console, decoder, interrupt, output, precision};

/// A conversation so far, and what the model has read of it.
struct Conversation<'a> {
    checkpoint: &'a DecoderCheckpoint,
    decoder: &'a Decoder,
    template: &'a ChatTemplate,
    messages: Vec<Message>,
    /// The text of the conversation up to the end of the last answer, its last
    /// tokens that the model has not read yet, and what it knows of the others.
    read: Option<(String, Vec<u32>, Context)>,
}

/// An answer.
struct Said {
    generated: Generated,
    /// How many tokens had to be read.
    tokens: usize,
    stats: Option<TextStats>,
}

pub(super) fn run(
    checkpoint: &DecoderCheckpoint,
    arguments: &RunCommandArguments,
    isa: Isa,
    json: bool,
) -> Result<()> {
    let RunCommandArguments {
        run: arguments,
        generation,
        dialogue,
    } = arguments;
    let Some(template) = &checkpoint.chat else {
        bail!("--chat: {} has no chat template", checkpoint.name);
    };
    let (decoder, precision) = decoder::open(checkpoint, arguments, generation, isa)?;
    let plan = precision::name(&precision);
    let settings = decoder::settings(checkpoint, generation);
    let mut conversation = Conversation {
        checkpoint,
        decoder: &decoder,
        template,
        messages: Vec::new(),
        read: None,
    };
    if let Some(system) = &dialogue.system {
        conversation.add("system", system);
    }
    let given = &arguments.texts.texts;
    let terminal = std::io::stdin().is_terminal();
    let mut typed = match (&arguments.texts.file, given.is_empty() || terminal) {
        (Some(file), _) if file.as_os_str() != "-" => {
            let what = || file.display().to_string();
            let file = std::fs::File::open(file).with_context(what)?;
            Some(Box::new(std::io::BufReader::new(file)) as Box<dyn BufRead>)
        }
        (_, true) => Some(Box::new(std::io::stdin().lock()) as Box<dyn BufRead>),
        (_, false) => None,
    };
    let asks = terminal && typed.is_some() && arguments.texts.file.is_none() && !json;
    if asks && given.is_empty() {
        console::note("an empty line or Ctrl-D ends the conversation");
    }
    let mut given = given.iter();
    output::write_to(arguments.output.as_deref(), |out| {
        let streams = !json && arguments.output.is_none();
        loop {
            let turn = match (given.next(), &mut typed) {
                (Some(turn), _) => turn.clone(),
                (None, Some(typed)) => match read_turn(typed.as_mut(), asks)? {
                    Some(turn) => turn,
                    None => return Ok(()),
                },
                (None, None) => return Ok(()),
            };
            if !asks && streams {
                show(&format!("> {turn}\n"))?;
            }
            let said = conversation.say(&turn, &settings, streams, dialogue.stats)?;
            let Said {
                generated,
                tokens,
                stats,
            } = said;
            if streams {
                show("\n")?;
            } else if json {
                let stats = stats.clone();
                output::write_json_line(out, &answer(&turn, tokens, &generated, &plan, stats))?;
            } else {
                writeln!(out, "> {turn}\n{}", generated.text)?;
            }
            if let (Some(stats), false) = (stats, json) {
                stats.print();
            }
            if generated.finish == Finish::Context {
                console::warn("the model's context is full: the conversation ends here");
                return Ok(());
            }
            if interrupt::requested() {
                return Ok(());
            }
        }
    })
}

/// The next line that is not the end.
fn read_turn(from: &mut dyn BufRead, asks: bool) -> Result<Option<String>> {
    if asks {
        show("> ")?;
    }
    let mut line = String::new();
    from.read_line(&mut line).context("reading a turn")?;
    let line = line.trim_end_matches(['\n', '\r']);
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

impl Conversation<'_> {
    fn add(&mut self, role: &str, content: &str) {
        self.messages.push(Message {
            role: role.into(),
            content: content.into(),
        });
    }

    /// Says something and gets the answer.
    fn say(
        &mut self,
        turn: &str,
        settings: &dtatrans_model::decoder::Settings,
        streams: bool,
        with_stats: bool,
    ) -> Result<Said> {
        self.add("user", turn);
        let text = self.template.render(&self.messages)?;
        let tokenizer = self.checkpoint.tokenizer()?;
        // What was read stays read, unless the template has changed it.
        let prompt = match self.read.take() {
            Some((before, mut ids, context)) if text.starts_with(&before) => {
                ids.extend(tokenizer.encode(&text[before.len()..])?.ids);
                Prompt { context, ids }
            }
            _ => Prompt {
                context: self.decoder.context(),
                ids: tokenizer.encode(&text)?.ids,
            },
        };
        let tokens = prompt.ids.len();
        let (generated, stats) = interrupt::cooperate(|cancel| {
            let mut watch = Watch::new(self.decoder, streams, with_stats, cancel);
            let prompts = vec![prompt];
            let generated = self
                .decoder
                .generate(tokenizer, prompts, settings, &mut watch)?;
            anyhow::Ok((generated, watch.stats()))
        })?;
        let Some(generated) = generated.into_iter().next() else {
            bail!("no answer");
        };
        self.add("assistant", &generated.text);
        if generated.finish == Finish::End || generated.finish == Finish::Length {
            let read = text + &generated.text;
            let unread = generated.unread.clone();
            self.read = Some((read, unread, generated.context.clone()));
        }
        Ok(Said {
            generated,
            tokens,
            stats: stats.and_then(|stats| stats.into_iter().next()),
        })
    }
}
