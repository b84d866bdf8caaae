//! From a conversation to a prompt, by the model's own template.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value as TemplateValue, context};
use serde_json::Value;

use crate::ModelError;
use crate::json::{self, Fields};

/// Instructions that a template may run: far more than any needs, so that one
/// that never ends is stopped.
const FUEL: u64 = 10_000_000;
const NAME: &str = "chat_template";

/// A model's chat template, in the Jinja dialect of Hugging Face's.
pub struct ChatTemplate {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl ChatTemplate {
    /// Compiles a template; `begin` and `end` are the texts of the tokens that
    /// stand around a text.
    pub(super) fn new(source: &str, begin: String, end: String) -> Result<ChatTemplate, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| plain(&error))?);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<(), Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| plain(&error))?;
        Ok(ChatTemplate {
            environment,
            begin,
            end,
        })
    }

    /// Reads `chat_template.jinja`, or the field `chat_template` of
    /// `tokenizer_config.json`; `None` where there is neither.
    pub(super) fn open_folder(folder: &Path) -> Result<Option<ChatTemplate>, ModelError> {
        let config = folder.join("tokenizer_config.json");
        let fields = match json::is_there(&config) {
            true => Some(Fields::open(&config)?),
            false => None,
        };
        let token = |field: &str| -> Result<String, ModelError> {
            let value = match &fields {
                Some(fields) => fields.find::<Value>(field)?,
                None => None,
            };
            Ok(match value {
                Some(Value::String(text)) => text,
                Some(Value::Object(token)) => match token.get("content") {
                    Some(Value::String(text)) => text.clone(),
                    _ => String::new(),
                },
                _ => String::new(),
            })
        };
        let (begin, end) = (token("bos_token")?, token("eos_token")?);
        let file = folder.join("chat_template.jinja");
        if json::is_there(&file) {
            let source = json::read_text(&file)?;
            let template =
                ChatTemplate::new(&source, begin, end).map_err(|reason| ModelError::Format {
                    file,
                    reason: format!("is no template: {reason}"),
                })?;
            return Ok(Some(template));
        }
        let Some(fields) = fields else {
            return Ok(None);
        };
        let source = match fields.find::<Value>("chat_template")? {
            None => return Ok(None),
            Some(Value::String(source)) => source,
            Some(Value::Array(named)) => {
                let default = named.iter().find(|one| one["name"] == "default");
                match default.map(|one| &one["template"]) {
                    Some(Value::String(source)) => source.clone(),
                    _ => {
                        let reason = "a list: must have one named `default`";
                        return Err(fields.refuse("chat_template", reason.into()));
                    }
                }
            }
            Some(_) => return Err(fields.refuse("chat_template", "must be a string".into())),
        };
        ChatTemplate::new(&source, begin, end)
            .map(Some)
            .map_err(|reason| fields.refuse("chat_template", reason))
    }

    /// The prompt of a conversation, up to where the model is to answer.
    ///
    /// # Errors
    /// [`ModelError::Template`] with what the template says.
    pub fn render(&self, messages: &[Message]) -> Result<String, ModelError> {
        let turns: Vec<TemplateValue> = messages
            .iter()
            .map(|message| context! { role => message.role.clone(), content => message.content.clone() })
            .collect();
        let template = self.environment.get_template(NAME);
        let rendered = template.and_then(|template| {
            template.render(context! {
                messages => turns,
                add_generation_prompt => true,
                bos_token => self.begin.clone(),
                eos_token => self.end.clone(),
            })
        });
        rendered.map_err(|error| ModelError::Template(plain(&error)))
    }
}

/// A template's error in one line.
fn plain(error: &Error) -> String {
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}
