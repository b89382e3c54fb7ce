//! The HTTP server: a thread of its own, so that nobody who asks, asks wrong, or does not read the answer costs the
//! daemon's loop anything.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore},
    time::{sleep, timeout},
};

use super::{format::Format, source::Source};

/// Connections that wait to be let in.
const BACKLOG: i32 = 64;
/// Connections at a time. Others are answered that there are too many.
pub(super) const CONNECTIONS: usize = 16;
/// Bytes of a request: line and headers. What is longer is refused by 431.
const LONGEST: usize = 16 << 10;
/// Time for a connection from its first byte to its last: whoever has not asked, or not taken the answer, by then is
/// left alone.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether maps that are held are still those of the daemon.
const LOOK: Duration = Duration::from_secs(10);
/// Before the next connection after one that could not be let in: there may be no descriptor free.
const PAUSE: Duration = Duration::from_millis(200);
/// What those are told for whom there is no room.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves what `source` answers. The socket lives in the network namespace of the caller.
///
/// # Returns
/// The address, with its port where the system has chosen it.
///
/// # Errors
/// If the address cannot be listened on, or a thread cannot be started.
pub(super) fn serve(address: SocketAddr, source: Source) -> anyhow::Result<SocketAddr> {
    serve_for(address, source, PATIENCE)
}

/// As [`serve`], with so much time for a connection.
pub(super) fn serve_for(
    address: SocketAddr,
    source: Source,
    patience: Duration,
) -> anyhow::Result<SocketAddr> {
    let listener = bound(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_name("metrics")
        .enable_all()
        .build()?;
    let run = move || runtime.block_on(accept(listener, source, patience));
    let thread = std::thread::Builder::new().name("metrics".into());
    thread.spawn(move || {
        if let Err(error) = run() {
            tracing::error!(%error, "metrics are not served any more");
        }
    })?;
    Ok(address)
}

/// A listening socket, also on an address that no interface has yet: at boot the daemon may be there first.
fn bound(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Of both families (`ipv6_setsockopt` hands `SOL_IP` on).
    sockopt::set_ip_freebind(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

async fn accept(
    listener: std::net::TcpListener,
    source: Source,
    patience: Duration,
) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener).context("the socket cannot be watched")?;
    let source = Arc::new(Mutex::new(source));
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = match timeout(LOOK, listener.accept()).await {
            Ok(Ok((stream, _))) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a scraper cannot be let in, trying again");
                sleep(PAUSE).await;
                continue;
            }
            Err(_) => {
                if let Ok(mut source) = source.try_lock()
                    && source.holds_maps()
                {
                    source.follow();
                }
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            // As far as it goes at once.
            let _unsaid = stream.try_write(BUSY);
            continue;
        };
        let source = Arc::clone(&source);
        tokio::spawn(async move {
            match timeout(patience, converse(stream, source)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a scraper's connection failed"),
                Err(_) => tracing::debug!("a scraper took too long"),
            }
            drop(permit);
        });
    }
}

/// Answers one request.
async fn converse(stream: TcpStream, source: Arc<Mutex<Source>>) -> hyper::Result<()> {
    let service = service_fn(|request| {
        let source = Arc::clone(&source);
        async move { Ok::<_, Infallible>(answer(&request, &source).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(LONGEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer<B: Body>(request: &Request<B>, source: &Mutex<Source>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !matches!(path, "/" | "/metrics") {
        return plain(StatusCode::NOT_FOUND, "there is only /metrics\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    if path == "/" {
        return plain(StatusCode::OK, "fabric-xdpd; its metrics are at /metrics\n");
    }
    let accept: Vec<&str> =
        request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::wanted(&accept.join(","));
    match source.lock().await.answer(format).await {
        Ok(page) => reply(StatusCode::OK, format.content_type(), page),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    reply(status, "text/plain; charset=utf-8", text)
}

fn reply(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
