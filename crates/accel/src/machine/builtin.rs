//! The machines that come with the program: the files in the folder `machines`.

use super::Machine;
use crate::AccelError;

/// A file of the folder, by the machine's name.
macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../../../machines/", $name, ".toml")),
        )
    };
}

const BUILTIN: [(&str, &str); 9] = [
    file!("vssa-512"),
    file!("vssa-512-hbm2"),
    file!("vssa-1280"),
    file!("vssa-4096"),
    file!("systolic-128"),
    file!("eyeriss"),
    file!("eyeriss-1ghz"),
    file!("spatten"),
    file!("spatten-eighth"),
];

impl Machine {
    /// The machine of that name that comes with the program.
    ///
    /// # Errors
    /// [`AccelError::UnknownMachine`] naming those that there are.
    pub fn builtin(name: &str) -> Result<Machine, AccelError> {
        match BUILTIN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Machine::from_toml(text),
            None => Err(AccelError::UnknownMachine {
                name: name.to_owned(),
                known: Machine::builtin_names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The names of the machines that come with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|&(name, _)| name)
    }

    /// The file of the machine of that name that comes with the program, to
    /// start an own one from.
    pub fn builtin_toml(name: &str) -> Option<&'static str> {
        BUILTIN
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, text)| text)
    }
}
