//! The rules: one file for each, with its page beside it.

use crate::rules::rule::Rule;

pub mod catalogue;
pub mod derive;
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

/// Every rule, by code.
pub static ALL: &[&Rule] = &[
    &aa101::RULE,
    &aa102::RULE,
    &aa103::RULE,
    &aa104::RULE,
    &aa105::RULE,
    &aa106::RULE,
    &aa107::RULE,
    &aa201::RULE,
    &aa202::RULE,
    &aa203::RULE,
    &aa204::RULE,
    &aa205::RULE,
    &aa206::RULE,
    &aa207::RULE,
    &aa208::RULE,
    &aa209::RULE,
    &aa301::RULE,
    &aa302::RULE,
    &aa303::RULE,
    &aa304::RULE,
    &aa306::RULE,
    &aa307::RULE,
    &aa308::RULE,
    &aa309::RULE,
    &aa401::RULE,
    &aa402::RULE,
    &aa403::RULE,
    &aa404::RULE,
    &aa405::RULE,
    &aa406::RULE,
    &aa407::RULE,
    &aa408::RULE,
    &aa409::RULE,
    &aa410::RULE,
    &aa412::RULE,
    &aa413::RULE,
    &aa414::RULE,
    &aa415::RULE,
    &aa416::RULE,
    &aa501::RULE,
    &aa502::RULE,
    &aa503::RULE,
    &aa504::RULE,
    &aa506::RULE,
    &aa601::RULE,
    &aa602::RULE,
    &aa603::RULE,
    &aa604::RULE,
    &aa605::RULE,
    &aa606::RULE,
    &aa607::RULE,
    &aa608::RULE,
    &aa609::RULE,
    &aa610::RULE,
    &aa701::RULE,
    &aa702::RULE,
    &aa703::RULE,
    &aa801::RULE,
    &aa802::RULE,
    &aa901::RULE,
    &aa902::RULE,
    &aa903::RULE,
    &aa904::RULE,
    &aa905::RULE,
    &aa906::RULE,
];
