// SPDX-License-Identifier: LGPL-3.0-or-later
// How programs in Rust write a value: writers NAME FILE
use std::env;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;

fn main() {
    let args: Vec<String> = env::args().collect();
    let path = &args[2];
    let value = 2.75;
    match args[1].as_str() {
        "rust-write-macro" => {
            let mut file = OpenOptions::new().write(true).open(path).unwrap();
            write!(file, "{}", value).unwrap();
        }
        "rust-writeln-macro" => {
            let mut file = OpenOptions::new().write(true).open(path).unwrap();
            writeln!(file, "{}", value).unwrap();
        }
        "rust-write-all" => {
            let mut file = OpenOptions::new().write(true).open(path).unwrap();
            file.write_all(format!("{}\n", value).as_bytes()).unwrap();
        }
        "rust" => fs::write(path, value.to_string()).unwrap(),
        "rust-line" => fs::write(path, format!("{}\n", value)).unwrap(),
        name => panic!("{} is unknown", name),
    }
}
