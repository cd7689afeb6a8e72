//! Control planes that tests of one process share: starting one costs several seconds of every core.

use std::ops::Deref;
use std::sync::LazyLock;

use crate::control_plane::ControlPlane;

/// A control plane that starts when the first test asks for it and ends with the process.
///
/// For tests that leave it as they found it, or keep to namespaces and identities of their own.
#[derive(Debug)]
pub struct Shared(LazyLock<ControlPlane, fn() -> ControlPlane>);

impl Shared {
    /// `start` panics if it cannot: then so does every test that wants the control plane.
    pub const fn new(start: fn() -> ControlPlane) -> Self {
        Self(LazyLock::new(start))
    }

    /// The control plane, started first if need be.
    ///
    /// # Panics
    /// It did not start.
    pub fn lease(&'static self) -> Lease {
        let cluster = &*self.0;
        if let Err(error) = cluster.outlives_tests() {
            panic!("{error:#}");
        }
        Lease(cluster)
    }
}

/// One test's use of a shared control plane. When the test panics, the directory stays and the tail of each log is
/// printed.
#[derive(Debug)]
pub struct Lease(&'static ControlPlane);

impl Deref for Lease {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.keep_shared();
        }
    }
}
