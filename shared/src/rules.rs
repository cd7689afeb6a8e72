//! The rules: one file for each, with its page beside it.

use crate::rules::rule::{Rule, StateCheck};

pub mod catalogue;
pub mod derive;
mod pages;
pub(crate) mod parts;
pub mod rule;

mod aa101;
mod aa102;
mod aa103;
mod aa104;
mod aa105;
mod aa106;
mod aa107;
mod aa201;
mod aa202;
mod aa203;
mod aa204;
mod aa205;
mod aa206;
mod aa208;
mod aa209;
mod aa302;
mod aa304;
mod aa306;
mod aa307;
mod aa308;
mod aa309;
mod aa401;
mod aa402;
mod aa403;
mod aa404;
mod aa405;
mod aa406;
mod aa407;
mod aa408;
mod aa409;
mod aa410;
mod aa412;
mod aa413;
mod aa414;
mod aa415;
mod aa416;
mod aa501;
mod aa502;
mod aa503;
mod aa504;
mod aa506;
mod aa601;
mod aa602;
mod aa603;
mod aa604;
mod aa605;
mod aa606;
mod aa607;
mod aa608;
mod aa609;
mod aa610;
mod aa701;
mod aa702;
mod aa703;
mod aa801;
mod aa802;
mod aa901;
mod aa902;
mod aa903;
mod aa905;
mod aa906;

pub(crate) mod aa207;
pub(crate) mod aa301;
pub(crate) mod aa303;
pub(crate) mod aa904;

/// Makes the lists of what each of these modules declares.
macro_rules! list {
    ($($rule:ident)*) => {
        /// Every rule, by code.
        pub static ALL: &[&Rule] = &[$(&$rule::RULE),*];

        /// The judgements of states, each at the place of its rule in [`ALL`].
        static STATES: &[&StateCheck] = &[$(&$rule::STATE),*];
    };
}

list! {
    aa101 aa102 aa103 aa104 aa105 aa106 aa107
    aa201 aa202 aa203 aa204 aa205 aa206 aa207 aa208 aa209
    aa301 aa302 aa303 aa304 aa306 aa307 aa308 aa309
    aa401 aa402 aa403 aa404 aa405 aa406 aa407 aa408 aa409 aa410 aa412 aa413 aa414 aa415 aa416
    aa501 aa502 aa503 aa504 aa506
    aa601 aa602 aa603 aa604 aa605 aa606 aa607 aa608 aa609 aa610
    aa701 aa702 aa703
    aa801 aa802
    aa901 aa902 aa903 aa904 aa905 aa906
}

impl Rule {
    /// The judgement of a state.
    pub fn state(&self) -> StateCheck {
        let at = ALL.iter().position(|rule| rule.code == self.code);
        at.and_then(|at| STATES.get(at)).map_or(StateCheck::NONE, |state| **state)
    }
}
