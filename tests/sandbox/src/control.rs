//! The control address: what people do, over HTTP, for those who are not in the sandbox's process.
pub(crate) async fn serve(discord: std::sync::Arc<crate::Discord>, listener: tokio::net::TcpListener) {
    let _ = (discord, listener);
    std::future::pending::<()>().await;
}
