/// `SBC_LOG` takes a level, or a filter such as `sbc_user::trust=debug`.
pub(super) fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SBC_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_terminal)
        .with_writer(std::io::stderr)
        .init();
}
