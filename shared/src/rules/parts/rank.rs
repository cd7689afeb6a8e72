//! The rank of a field of a platform's object: it decides which of many fields are reported.

use crate::data::Component;
use crate::facts::origin::{FieldRank, Step, spell_briefly};
use crate::k8s::kinds::Kind;
use crate::rules::parts::effect::Effect;

/// The rank of a field: light where it only restarts pods, or where a person wrote it before, as `shows` says, since it may
/// be on its way back.
pub(crate) fn rank(path: &[Step<'_>], shows: bool) -> FieldRank {
    if shows || is_template_annotation(path) { FieldRank::Light } else { FieldRank::Heavy }
}

/// The rank of a field of a component, as [`rank`] has it; but what may replace the component always comes before what
/// customises it.
pub(crate) fn rank_in(component: &Component, kind: &Kind, path: &[Step<'_>], shows: bool) -> FieldRank {
    // The value is not known here: `spec.replicas` may be 0.
    let effect = Effect::of(kind.kind, component, &spell_briefly(path), [None, Some("0")]);
    match rank(path, shows) {
        _ if effect == Effect::Replaces => FieldRank::Heavy,
        FieldRank::Heavy => FieldRank::Middle,
        lighter => lighter,
    }
}

/// Whether a path is an annotation of the pod template. These weigh least in it: a restart changes nothing else.
fn is_template_annotation(path: &[Step<'_>]) -> bool {
    let is = |step: &Step<'_>, name: &str| matches!(step, Step::Field(field) if &**field == name);
    matches!(path, [_, template, meta, annotations, _]
        if is(template, "template") && is(meta, "metadata") && is(annotations, "annotations"))
}
