//! Network software on the nodes.

use crate::data::network::NetworkSoftware;
use crate::k8s::image;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::k8s::pod::Pod;

/// The network software whose image a DaemonSet runs, with the image.
pub(crate) fn running<'d, 's>(
    object: &'s Object<'_>,
    kind: &'static Kind,
    software: &'d [NetworkSoftware],
) -> Option<(&'d NetworkSoftware, &'s str)> {
    if *kind != kinds::DAEMON_SET {
        return None;
    }
    let images = || object.pod(kind).into_iter().flat_map(Pod::images);
    software.iter().find_map(|row| Some((row, images().find(|image| image::is_of_any(image, &row.images))?)))
}
