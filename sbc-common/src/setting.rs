/// One word of configuration in the kernel. Each is read and written on its own, so no reader can see
/// half of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Setting {
    /// A [`Mode`].
    Mode,
    /// An [`UnknownAction`].
    UnknownAction,
    /// The [`ServiceTable`](crate::ServiceTable) in force.
    ServiceTable,
    /// The secret that hashes of sources begin with, made anew with the tables.
    Seed,
    /// The number of words of the [`Filter`](crate::Filter).
    FilterWords,
    /// What becomes of a trusted source's packet with a strange hop limit: a [`Scrutiny`].
    HopLimits,
    /// What becomes of a trusted source's packet that an answer would leave another way: a
    /// [`Scrutiny`].
    ReversePath,
    /// 1 to let tunnels to a protected address pass.
    TunnelsPass,
    /// `CLOCK_MONOTONIC` nanoseconds when the daemon last said that it lives.
    Heartbeat,
    /// Nanoseconds of its silence after which everything passes; zero for never.
    SilenceEndsEnforcement,
    /// [`Budget::interval`](crate::Budget::interval) of [`Meter::Unknown`](crate::Meter::Unknown).
    UnknownInterval,
    /// [`Budget::tolerance`](crate::Budget::tolerance) of the same.
    UnknownTolerance,
    /// The interval of [`Meter::TlsAttempts`](crate::Meter::TlsAttempts).
    TlsAttemptsInterval,
    /// Its tolerance.
    TlsAttemptsTolerance,
    /// The interval of [`Meter::TlsAttemptsFrom`](crate::Meter::TlsAttemptsFrom).
    TlsAttemptsFromInterval,
    /// Its tolerance.
    TlsAttemptsFromTolerance,
    /// The interval of [`Meter::EarlyFragmentsFrom`](crate::Meter::EarlyFragmentsFrom).
    EarlyFragmentsInterval,
    /// Its tolerance.
    EarlyFragmentsTolerance,
    /// The number of the control group whose sockets have the second program in front of them; zero for
    /// none. For a daemon that may not look at the link.
    SocketCgroup,
    /// `CLOCK_MONOTONIC` nanoseconds until which the table of associations is what the network stack has;
    /// zero while nobody keeps it. Later on, ESP is judged by its source alone.
    AssociationsUntil,
}

impl Setting {
    /// How many settings there are.
    pub const COUNT: u32 = 20;
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

/// What becomes of a trusted source's packet that does not look like the source's. Every value but
/// `Observe` and `Enforce` looks away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Scrutiny {
    /// Nothing.
    #[default]
    Off = 0,
    /// It passes, and is counted.
    Observe = 1,
    /// It is dropped.
    Enforce = 2,
}

impl Scrutiny {
    /// Reads the value kept in the table.
    #[must_use]
    #[inline(always)]
    pub const fn from_table(value: u64) -> Self {
        match value {
            1 => Self::Observe,
            2 => Self::Enforce,
            _ => Self::Off,
        }
    }

    /// The name used in configuration, status, logs and the reference pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}
