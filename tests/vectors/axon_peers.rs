//! Peers for the exchanges of `axon.json`: our axon on a loopback port, and servers that answer what an outcome tells of.

use std::net::SocketAddr;
use std::time::Duration;

use axon::Axon;
use network::legacy::{Head, Json as Wire, python};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::json::{Found, Json, naturals, object, texts};

/// A request or an answer, as it crossed the wire.
pub struct Exchange {
    pub line: String,
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Exchange {
    fn of(line: String, headers: &Json, body: &str) -> Found<Self> {
        let headers =
            headers.fields()?.iter().map(|(name, value)| Ok((name.to_ascii_lowercase(), value.text()?.to_owned())));
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Ok(Self { status, line, headers: headers.collect::<Found<_>>()?, body: body.to_owned() })
    }

    pub fn request(case: &Json) -> Found<Self> {
        let line = format!("{} {}", case.at("method")?.text()?, case.at("path")?.text()?);
        let body = case.get("request_body").map_or(Ok(""), Json::text)?;
        Self::of(line, case.at("request_headers")?, body)
    }

    pub fn expected(case: &Json) -> Found<Self> {
        let response = case.at("response")?;
        let body = response.get("body").map_or(Ok(""), Json::text)?;
        Self::of(response.at("status_line")?.text()?.to_owned(), response.at("headers")?, body)
    }

    pub fn head(&self) -> Found<Head> {
        Head::read(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
            .map_err(|e| e.to_string())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// When the answer was made: its own nonce, or the second after its date.
    pub fn time(&self) -> Found<u64> {
        if let Some(nonce) = self.header("bt_header_axon_nonce") {
            return nonce.parse().map_err(|e| format!("{e}"));
        }
        let date = self.header("date").ok_or("the answer has no time")?;
        Ok((seconds(date).ok_or_else(|| format!("{date:?} is no date"))? + 1) * 1_000_000_000)
    }

    pub fn message(&self) -> &str {
        self.header("bt_header_axon_status_message").unwrap_or_default()
    }

    /// Whether it says that the nonce was used.
    pub fn was_used(&self) -> bool {
        self.message().ends_with("a newer one was last processed")
    }

    pub fn process_time(&self) -> Option<f64> {
        self.header("bt_header_axon_process_time")?.parse().ok()
    }

    /// What has to be alike: status, body, and the names of the protocol's headers. `sent` is the request of an answer by the SDK,
    /// whose identity is then the one of its headers.
    pub fn comparable(&self, sent: Option<&Self>) -> Found<Json> {
        let is_protocol =
            |name: &str| name.starts_with("bt_header_") || ["name", "timeout", "content-type"].contains(&name);
        // The SDK tells of itself where the request's headers did not; here a number, there none.
        let of_the_machine = |name: &str| ["bt_header_dendrite_port"].contains(&name);
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| is_protocol(name) && !of_the_machine(name));
        if self.status == 200
            && let Some(sent) = sent
        {
            // Both sides' objects are those of the headers.
            let head = sent.head()?;
            let echoed = Head { axon: head.axon, dendrite: head.dendrite, ..Head::default() };
            names.retain(|name| !name.starts_with("bt_header_axon_") && !name.starts_with("bt_header_dendrite_"));
            let mut lines: Vec<String> = echoed.lines().into_iter().map(|(name, _)| name).collect();
            lines.extend(["status_code", "status_message", "process_time"].map(|f| format!("bt_header_axon_{f}")));
            lines.retain(|name| name.starts_with("bt_header_") && !of_the_machine(name));
            lines.extend(names.iter().map(|name| (*name).to_owned()));
            return self.with(lines, self.whole(Some(sent))?);
        }
        self.with(names.into_iter().map(str::to_owned).collect(), self.whole(None)?)
    }

    fn with(&self, mut names: Vec<String>, body: String) -> Found<Json> {
        names.sort();
        names.dedup();
        Ok(object(vec![("status", naturals([self.status])), ("names", texts(names)), ("body", Json::Text(body))]))
    }

    /// The body without numbers of the log and times.
    fn whole(&self, sent: Option<&Self>) -> Found<String> {
        if let Some((begin, _)) = self.body.split_once("Internal Server Error #") {
            return Ok(format!("{begin}Internal Server Error #"));
        }
        let mut body = Wire::parse(self.body.as_bytes()).map_err(|error| error.to_string())?;
        let head = sent.map(Self::head).transpose()?;
        if let Wire::Object(fields) = &mut body {
            for (name, value) in fields {
                let Wire::Object(terminal) = value else { continue };
                if !["axon", "dendrite"].contains(&name.as_str()) {
                    continue;
                }
                for (key, value) in terminal {
                    let given = head
                        .as_ref()
                        .map(|head| if name == "axon" { head.axon.to_json() } else { head.dendrite.to_json() });
                    match (key.as_str(), given) {
                        ("process_time", _) if *value != Wire::Null => *value = Wire::Bool(true),
                        ("status_code" | "status_message" | "process_time", _) | (_, None) => {}
                        (key, Some(given)) => *value = given.get(key).cloned().unwrap_or(Wire::Null),
                    }
                }
            }
        }
        Ok(python::compact(&body))
    }
}

/// `Fri, 20 Nov 2026 11:27:12 GMT` as seconds since 1970.
fn seconds(date: &str) -> Option<u64> {
    let parts: Vec<&str> = date.split([' ', ':']).collect();
    let [_, day, month, year, hours, minutes, seconds, "GMT"] = parts[..] else { return None };
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        .iter()
        .position(|name| *name == month)? as u64
        + 1;
    let number = |text: &str| text.parse::<u64>().ok();
    // Days of the civil calendar, with years that begin in March.
    let (year, shifted) = if month > 2 { (number(year)?, month - 3) } else { (number(year)? - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + number(day)? - 1 - 719_468;
    Some(((days * 24 + number(hours)?) * 60 + number(minutes)?) * 60 + number(seconds)?)
}

/// Sends the request to the axon, twice where asked, and reads the answers.
pub async fn exchange(axon: Axon, sent: &Exchange, twice: bool) -> Found<Vec<Exchange>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(axon.serve(listener, async move { drop(stopped.await) }));
    let mut answers = Vec::new();
    for _ in 0..=usize::from(twice) {
        answers.push(send(address, sent).await?);
    }
    drop(stop);
    server.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    Ok(answers)
}

async fn send(address: SocketAddr, sent: &Exchange) -> Found<Exchange> {
    let mut head =
        format!("{} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n", sent.line);
    for (name, value) in &sent.headers {
        if !["host", "connection", "content-type", "content-length"].contains(&name.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("content-length: {}\r\n\r\n{}", sent.body.len(), sent.body));
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.map_err(|_| "no answer")?;
    let answer = String::from_utf8(answer.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without end of its head")?;
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status line")?;
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
    // Extras of ours, which the SDK passes over.
    let headers = headers.filter(|(name, _)| !name.starts_with("assay-")).collect();
    Ok(Exchange { line, status, headers, body: body.to_owned() })
}

/// A server that gives one answer, made so that a client reports the outcome.
pub enum StandIn {
    /// Nobody listens.
    Closed,
    /// Listens and says nothing.
    Silent,
    /// Status, headers and body.
    Answers(u16, Vec<(String, String)>, String),
}

pub struct Standing {
    pub address: SocketAddr,
    heard: mpsc::Receiver<(String, String)>,
}

impl Standing {
    pub async fn heard(mut self) -> Option<(String, String)> {
        tokio::time::timeout(Duration::from_secs(10), self.heard.recv()).await.ok().flatten()
    }
}

impl StandIn {
    pub fn silent() -> Self {
        Self::Silent
    }

    /// The answer that an outcome of the SDK's client was made of.
    pub fn of(outcome: &Json) -> Found<Self> {
        let (dendrite, axon) = (outcome.at("dendrite")?, outcome.at("axon")?);
        let message = dendrite.get("status_message").map_or(Ok(""), Json::text)?;
        if message.starts_with("Service unavailable at ") {
            return Ok(Self::Closed);
        }
        if message.starts_with("Request timeout after ") {
            return Ok(Self::Silent);
        }
        let model = |with_prompt: bool| {
            let mut fields = vec![("n".to_owned(), Wire::Integer(1)), ("name".to_owned(), Wire::text("Echo"))];
            if with_prompt {
                fields.push(("prompt".to_owned(), Wire::text("hi!")));
            }
            let out = outcome.get("out").and_then(|out| out.text().ok());
            fields.push(("out".to_owned(), out.map_or(Wire::Null, Wire::text)));
            python::dumps(&Wire::Object(fields))
        };
        let json = |kind: &str| vec![("content-type".to_owned(), kind.to_owned())];
        if let Some((_, rest)) = message.split_once("unexpected mimetype: ") {
            let kind = rest.split('\'').next().unwrap_or_default();
            return Ok(Self::Answers(200, json(kind), model(true)));
        }
        if message.contains("Field required") {
            return Ok(Self::Answers(200, json("application/json"), model(false)));
        }
        let mut headers = json("application/json");
        if axon.get("process_time").is_some() {
            for field in ["status_code", "status_message", "process_time"] {
                let value = match axon.at(field)? {
                    Json::Text(text) => text.clone(),
                    Json::Int(value) => value.to_string(),
                    Json::Float(value) => value.to_string(),
                    other => return Err(format!("{other:?} in a header")),
                };
                headers.push((format!("bt_header_axon_{field}"), value));
            }
        }
        match dendrite.get("status_code").map(Json::natural).transpose()? {
            None | Some(200) => Ok(Self::Answers(200, headers, model(true))),
            Some(status) => {
                let told = Wire::Object(vec![("message".to_owned(), Wire::text(message))]);
                let status = u16::try_from(status).map_err(|e| e.to_string())?;
                Ok(Self::Answers(status, headers, python::compact(&told)))
            }
        }
    }

    pub async fn start(self) -> Standing {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (hear, heard) = mpsc::channel(1);
        if matches!(self, Self::Closed) {
            drop(listener);
            return Standing { address, heard };
        }
        tokio::spawn(async move {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let request = read_request(&mut stream).await;
            drop(hear.send(request).await);
            match self {
                Self::Answers(status, headers, body) => {
                    let mut head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n");
                    for (name, value) in headers {
                        head.push_str(&format!("{name}: {value}\r\n"));
                    }
                    let text = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                    drop(stream.write_all(text.as_bytes()).await);
                    drop(stream.shutdown().await);
                }
                // Keeps the connection until the client gives up.
                _ => drop(stream.read(&mut [0; 1]).await),
            }
        });
        Standing { address, heard }
    }
}

async fn read_request(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .split("\r\n")
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0usize) {
                return (head.to_owned(), body.to_owned());
            }
        }
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => return (String::new(), String::new()),
        }
    }
}
