//! Changes of inputs: what breaks readers of text, numbers, lengths and nesting.

use crate::dice::Dice;

/// Bytes at which readers turn.
const EDGES: &[u8] = b"\0\x01\x7f\x80\xc0\xe2\xf0\xff\t\n\r \"'\\/,;:.-+=@<>[]{}()|#&!09aAeEfzZ";

/// Numbers at which types, doubles and our own bounds end.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "00",
    "7",
    "8",
    "100",
    "101",
    "255",
    "256",
    "500",
    "501",
    "2557",
    "65535",
    "65536",
    "4194303",
    "4194304",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "1e400",
    "1.5",
    "0x10",
];

/// What is no UTF-8, or hardly: lone continuations, overlong forms, surrogates, cut sequences, beyond the last one; and
/// letters that vanish, reorder, grow or count as digits elsewhere.
const TEXTS: &[&[u8]] = &[
    b"\x80",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    "\u{202e}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{e0041}".as_bytes(),
    "\u{0661}".as_bytes(),
    "\u{ff11}".as_bytes(),
    "\u{130}".as_bytes(),
    "\u{df}".as_bytes(),
    "e\u{301}\u{301}\u{301}".as_bytes(),
    "😀".as_bytes(),
];

/// Lengths as a frame begins with them.
const LENGTHS: &[u32] =
    &[0, 1, 4, 0xff, 4_096, 4_097, 65_536, 65_537, 8_388_608, 8_388_609, 0x7fff_ffff, u32::MAX];

/// One of the kept inputs, changed once or a few times.
pub(super) fn mutate(dice: &mut Dice, kept: &[Vec<u8>], words: &[&str], longest: usize) -> Vec<u8> {
    let any = |dice: &mut Dice| kept.get(dice.below(kept.len())).cloned().unwrap_or_default();
    let mut input = any(dice);
    for _ in 0..=dice.below(5) {
        let at = dice.below(input.len() + 1);
        let end = at + dice.below((input.len() - at).min(64) + 1);
        match dice.below(15) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            1 => {
                let edge = dice.pick(EDGES).unwrap_or_default();
                match input.get_mut(at) {
                    Some(byte) => *byte = edge,
                    None => input.push(edge),
                }
            }
            2 => insert(&mut input, at, &[dice.pick(EDGES).unwrap_or_default()]),
            3 => {
                let noise: Vec<u8> = (0..=dice.below(8)).map(|_| byte(dice)).collect();
                insert(&mut input, at, &noise);
            }
            4 => drop(input.drain(at..end)),
            5 => input.truncate(at),
            6 => {
                let again = input[at..end].repeat(1 + dice.below(4));
                insert(&mut input, end, &again);
            }
            7 => {
                // The beginning of one and the end of another.
                let other = any(dice);
                let from = dice.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            8 | 9 => {
                let word = dice.pick(words).unwrap_or_default();
                insert(&mut input, at, word.as_bytes());
            }
            10 => {
                let word = dice.pick(words).unwrap_or_default();
                input.splice(at..end, word.bytes());
            }
            11 => number(dice, &mut input, at),
            12 => insert(&mut input, at, dice.pick(TEXTS).unwrap_or_default()),
            13 => {
                let length = dice.pick(LENGTHS).unwrap_or_default().to_be_bytes();
                let behind = (at + 4).min(input.len());
                input.splice(at..behind, length);
            }
            // So many of one thing that whoever counts, nests or keeps them all has to do with it.
            _ if dice.once_in(8) => {
                let end = if end == at { (at + 1).min(input.len()) } else { end };
                let again = input[at..end].repeat(longest / (end - at).max(1));
                insert(&mut input, at, &again);
            }
            _ => input.rotate_left(at),
        }
        input.truncate(longest);
    }
    input
}

fn byte(dice: &mut Dice) -> u8 {
    u8::try_from(dice.below(256)).unwrap_or_default()
}

fn insert(input: &mut Vec<u8>, at: usize, what: &[u8]) {
    input.splice(at..at, what.iter().copied());
}

/// Puts another number in the place of the one that stands behind `at`.
fn number(dice: &mut Dice, input: &mut Vec<u8>, at: usize) {
    let Some(begin) = input[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else { return };
    let digits = input[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = dice.pick(NUMBERS).unwrap_or_default();
    input.splice(begin..begin + digits, number.bytes());
}
