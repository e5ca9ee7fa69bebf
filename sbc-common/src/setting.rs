/// One word of configuration in the kernel. Each is read and written on its own, so no reader can see
/// half of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Setting {
    /// A [`Mode`].
    Mode,
    /// An [`UnknownAction`].
    UnknownAction,
    /// [`Budget::interval`](crate::Budget::interval) of the unknown lane, nanoseconds.
    UnknownInterval,
    /// [`Budget::tolerance`](crate::Budget::tolerance) of the unknown lane, nanoseconds.
    UnknownTolerance,
}

impl Setting {
    /// How many settings there are.
    pub const COUNT: u32 = 4;
}

/// Whether verdicts are carried out. Every value but `Observe` enforces, so a table that was never
/// filled in fails closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Mode {
    /// Frames are dropped where the verdict says so.
    Enforce = 0,
    /// The same verdicts are reached and counted, and every frame passes.
    Observe = 1,
}

impl Mode {
    /// Reads the value kept in the table.
    #[must_use]
    #[inline(always)]
    pub const fn from_table(value: u64) -> Self {
        match value {
            1 => Self::Observe,
            _ => Self::Enforce,
        }
    }

    /// The name used in configuration, status, logs and the reference pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// What the unknown lane does with clear-text SIP. Every value but `Challenge` drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum UnknownAction {
    /// Strangers are dropped.
    Drop = 0,
    /// Strangers' requests pass within a budget, so that the daemon can challenge them.
    Challenge = 1,
}

impl UnknownAction {
    /// Reads the value kept in the table.
    #[must_use]
    #[inline(always)]
    pub const fn from_table(value: u64) -> Self {
        match value {
            1 => Self::Challenge,
            _ => Self::Drop,
        }
    }
}
