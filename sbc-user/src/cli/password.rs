//! Passwords that are told to a command: never as arguments, which every user of the machine can see.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::fd::AsFd as _;

use anyhow::{Context as _, bail, ensure};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// In bytes.
const LONGEST: usize = 1024;

const END_OF_TEXT: u8 = 3;
const END_OF_TRANSMISSION: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL_LINE: u8 = 21;
const DELETE: u8 = 127;

/// Asks for a new password: twice if standard input is a terminal, which shows nothing of it; otherwise it is all of
/// standard input but the end of its one line.
pub(super) fn new_password() -> anyhow::Result<Zeroizing<String>> {
    // What the standard library reads it reads ahead, into memory that is not wiped.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    if !io::stdin().is_terminal() {
        return piped(&mut &input);
    }
    let quiet = Quiet::make(&input).context("cannot make the terminal show nothing")?;
    let asked = ask(&mut &input, "New password: ")
        .and_then(|first| Ok((first, ask(&mut &input, "The same again: ")?)));
    drop(quiet);
    let (first, second) = asked?;
    ensure!(first == second, "these are two passwords");
    Ok(first)
}

fn piped(input: &mut impl Read) -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
    let limit = u64::try_from(LONGEST.saturating_add(2))?;
    input.take(limit).read_to_end(&mut bytes).context("cannot read the password")?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    password(line)
}

fn password(line: &[u8]) -> anyhow::Result<Zeroizing<String>> {
    ensure!(!line.is_empty(), "the password is empty");
    ensure!(line.len() <= LONGEST, "the password is longer than {LONGEST} bytes");
    let text = str::from_utf8(line).context("the password is not UTF-8")?;
    ensure!(
        !text.contains(char::is_control),
        "the password has a control character, or is two lines"
    );
    Ok(Zeroizing::new(text.to_owned()))
}

fn ask(input: &mut impl Read, question: &str) -> anyhow::Result<Zeroizing<String>> {
    let mut error = io::stderr();
    error.write_all(question.as_bytes())?;
    error.flush()?;
    let line = line_of_keys(input);
    error.write_all(b"\n")?;
    password(&line?)
}

/// One line of a terminal that leaves keys to us.
fn line_of_keys(input: &mut impl Read) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST.saturating_add(1)));
    let mut key = Zeroizing::new([0]);
    loop {
        input.read_exact(key.as_mut()).context("cannot read the password")?;
        let [key] = *key;
        match key {
            b'\n' | b'\r' => return Ok(line),
            END_OF_TEXT | END_OF_TRANSMISSION => bail!("no password was told"),
            BACKSPACE | DELETE => while line.pop().is_some_and(|byte: u8| byte & 0xC0 == 0x80) {},
            KILL_LINE => line.clear(),
            _ if line.len() <= LONGEST => line.push(key),
            _ => {}
        }
    }
}

/// A terminal that shows nothing of what is typed, as long as this lives. Ctrl-C is a key like any other then, so
/// that nobody is left with such a terminal.
struct Quiet<'t>(&'t File, Termios);

impl<'t> Quiet<'t> {
    fn make(terminal: &'t File) -> nix::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self(terminal, before))
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = tcsetattr(self.0, SetArg::TCSAFLUSH, &self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_tells_one_line() {
        let told = |text: &str| piped(&mut text.as_bytes()).map(|it| it.to_string());
        assert_eq!(told("secret\n").unwrap(), "secret");
        assert_eq!(told(" pass wörd ").unwrap(), " pass wörd ");
        let longest = "x".repeat(LONGEST);
        assert_eq!(told(&format!("{longest}\n")).unwrap(), longest);
        for (text, problem) in [
            ("", "empty"),
            ("\n", "empty"),
            ("one\ntwo\n", "two lines"),
            ("one\r\n", "control"),
            (&format!("{longest}x"), "longer than 1024"),
            (&"x".repeat(9 * LONGEST), "longer than 1024"),
        ] {
            let said = told(text).unwrap_err().to_string();
            assert!(said.contains(problem), "{said}");
        }
    }

    #[test]
    fn keys_make_a_line_and_take_it_back() {
        let typed = |keys: &[u8]| line_of_keys(&mut &*keys).map(|line| line.to_vec());
        assert_eq!(typed(b"secret\nrest").unwrap(), b"secret");
        assert_eq!(typed("pä\x7f\x7f\x7f\x7fsec\x08cret\r".as_bytes()).unwrap(), b"secret");
        assert_eq!(typed(b"wrong\x15secret\n").unwrap(), b"secret");
        for keys in [&b"secret\x03"[..], b"\x04", b"secret"] {
            assert!(typed(keys).is_err());
        }
        let many = [vec![b'x'; 9 * LONGEST], vec![b'\n']].concat();
        assert!(password(&typed(&many).unwrap()).is_err());
    }
}
