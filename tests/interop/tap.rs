//! A place on the way between one client and a server where datagrams are looked at.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How soon it sees that it is not wanted any more.
const PAUSE: Duration = Duration::from_millis(50);

/// Passes on what a client and a server send to each other, and keeps it. The server takes it for the
/// client's address translator; for the client it takes the server's place in Contact, so that what belongs
/// to a dialog comes here as well.
pub(crate) struct Tap {
    pub(crate) port: u16,
    passed: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
}

impl Tap {
    /// On the way to this port of 127.0.0.1.
    pub(crate) fn before(server: u16) -> Self {
        let front = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let back = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        back.connect(("127.0.0.1", server)).unwrap();
        let tap = Self {
            port: front.local_addr().unwrap().port(),
            passed: Arc::default(),
            is_over: Arc::default(),
        };
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(PAUSE)).unwrap();
        }
        let client = Arc::new(Mutex::new(None));
        let (front, back) = (Arc::new(front), Arc::new(back));
        let there = format!("\r\nContact: <sip:127.0.0.1:{server}");
        let here = format!("\r\nContact: <sip:127.0.0.1:{}", tap.port);
        let (seen, to_server) = (Arc::clone(&client), Arc::clone(&back));
        let heard = Arc::clone(&front);
        let hear = move |buffer: &mut [u8]| {
            let (length, from) = heard.recv_from(buffer).ok()?;
            *seen.lock().unwrap() = Some(from);
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        tap.carry(hear, move |text| {
            let _ = to_server.send(text.as_bytes());
        });
        let hear = move |buffer: &mut [u8]| {
            let length = back.recv(buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).replacen(&there, &here, 1))
        };
        tap.carry(hear, move |text| {
            if let Some(client) = *client.lock().unwrap() {
                let _ = front.send_to(text.as_bytes(), client);
            }
        });
        tap
    }

    /// What is heard is kept before it goes on: whoever sees what it leads to finds it here.
    fn carry(
        &self,
        hear: impl Fn(&mut [u8]) -> Option<String> + Send + 'static,
        pass_on: impl Fn(&str) + Send + 'static,
    ) {
        let (passed, is_over) = (Arc::clone(&self.passed), Arc::clone(&self.is_over));
        thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while !is_over.load(Ordering::Relaxed) {
                if let Some(text) = hear(&mut buffer) {
                    passed.lock().unwrap().push(text.clone());
                    pass_on(&text);
                }
            }
        });
    }

    /// The messages whose first line begins like this, in their order, each once.
    pub(crate) fn passed(&self, begins: &str) -> Vec<String> {
        let passed = self.passed.lock().unwrap();
        let mut found: Vec<String> = Vec::new();
        for message in passed.iter().filter(|message| message.starts_with(begins)) {
            if !found.contains(message) {
                found.push(message.clone());
            }
        }
        found
    }

    /// Waits until so many have passed.
    pub(crate) fn wait_for(&self, count: usize, begins: &str, within: Duration) -> Vec<String> {
        let deadline = Instant::now() + within;
        loop {
            let found = self.passed(begins);
            if found.len() >= count {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "{count} of {begins} have not passed within {within:?}: {:#?}",
                self.passed.lock().unwrap()
            );
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The value of the first field of this name.
pub(crate) fn field<'a>(message: &'a str, name: &str) -> &'a str {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let mut named = head.lines().filter_map(|line| line.split_once(": "));
    let found = named.find(|(known, _)| *known == name);
    found.map_or("", |(_, value)| value)
}

pub(crate) fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").unwrap().1
}
