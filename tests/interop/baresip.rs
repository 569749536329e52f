//! baresip as an ordinary client: it registers, publishes, watches its contact, and leaves.

use crate::process::Process;
use crate::server::{PASSWORD, Server};
use crate::{Folder, Hop, Transport, asked_for, free_port};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take to learn of a change.
///
/// baresip publishes twice when it starts and its registration is answered fast, and forgets the first of
/// the two publications. What that one says stays true until it expires, [`PUBLISHED`] seconds later.
const SOON: Duration = Duration::from_secs(20);
/// Seconds that a publication lasts.
const PUBLISHED: u32 = 10;

#[derive(Debug)]
pub(crate) struct Client {
    process: Process,
    control: u16,
    contact: String,
}

impl Client {
    /// Starts a client of the domain example.org that watches `contact`.
    pub(crate) fn start(hop: Hop, folder: &Folder, user: &str, contact: &str) -> Self {
        let account = format!(
            "<sip:{user}@example.org>;outbound=\"sip:127.0.0.1:{};transport={}\"\
             ;auth_user={user};auth_pass={PASSWORD};regint=60;pubint={PUBLISHED}\n",
            hop.port,
            hop.transport.name()
        );
        Self::with_account(free_port(2), folder, user, &account, Some(contact))
    }

    /// Starts one without a server, which is the agent of its own user.
    pub(crate) fn alone(folder: &Folder, user: &str) -> (Self, u16) {
        let port = free_port(2);
        let account = format!("<sip:{user}@127.0.0.1:{port}>;regint=0\n");
        let client = Self::with_account(port, folder, user, &account, None);
        (client, port)
    }

    fn with_account(
        port: u16,
        folder: &Folder,
        user: &str,
        account: &str,
        contact: Option<&str>,
    ) -> Self {
        let home = folder.path().join(user);
        fs::create_dir_all(&home).unwrap();
        // It also takes the port after its SIP port, for TLS.
        let control = port + 2;
        let config = format!(
            "sip_listen 127.0.0.1:{port}\n\
             net_interface 127.0.0.1\n\
             module_path {}\n\
             module g711.so\n\
             module_app account.so\n\
             module_app contact.so\n\
             module_app menu.so\n\
             module_app presence.so\n\
             module_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n",
            modules().display()
        );
        let contact = contact.map(|contact| format!("sip:{contact}@example.org"));
        let contacts = contact
            .iter()
            .map(|contact| format!("\"{contact}\" <{contact}>;presence=p2p\n"));
        fs::write(home.join("config"), config).unwrap();
        fs::write(home.join("accounts"), account).unwrap();
        fs::write(home.join("contacts"), contacts.collect::<String>()).unwrap();
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&home);
        let process = Process::start("baresip (Debian: baresip-core)", &mut command);
        process.wait_for(0, SOON, "ready", |line| line.contains("baresip is ready"));
        Self {
            process,
            control,
            contact: contact.unwrap_or_default(),
        }
    }

    /// Waits until it holds its contact for `Online` or `Offline`.
    pub(crate) fn wait_until_contact_is(&self, status: &str) {
        let deadline = Instant::now() + SOON;
        loop {
            let contacts = self.command("contacts");
            if contacts.contains(&self.contact) && contacts.contains(status) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} is not {status}: {contacts}\n{}",
                self.contact,
                self.process.output()
            );
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Gives it a command over its control socket (a netstring of JSON); the answer as it comes.
    pub(crate) fn command(&self, command: &str) -> String {
        let message = format!("{{\"command\":\"{command}\",\"token\":\"t\"}}");
        let mut socket = TcpStream::connect(("127.0.0.1", self.control)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(3)))
            .unwrap();
        write!(socket, "{}:{message},", message.len()).unwrap();
        let mut answer = [0; 4096];
        let length = socket.read(&mut answer).unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        // It answers nothing to a command that has nothing to say.
        assert!(
            !answer.contains("\"ok\":false"),
            "baresip, {command}: {answer}\n{}",
            self.process.output()
        );
        answer
    }

    pub(crate) fn leave(mut self) {
        self.command("quit");
        let status = self.process.wait_for_end(SOON);
        assert!(status.success(), "{status}\n{}", self.process.output());
    }
}

fn modules() -> &'static Path {
    const PLACES: [&str; 2] = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    let mut places = PLACES.iter().map(Path::new);
    let found = places.find(|path| path.is_dir());
    found.expect("baresip's modules are nowhere (Debian: baresip-core)")
}

/// Two clients watch each other: both learn that the other is there, changes and goes.
pub(crate) fn two_clients(server: &mut Server, hop: Hop, folder: &Folder) {
    let anna = Client::start(hop, folder, "anna", "bjarne");
    server.wait_for(0, &["anna@example.org", "bjarne@example.org"]);
    let bjarne = Client::start(hop, folder, "bjarne", "anna");
    bjarne.wait_until_contact_is("Online");
    anna.wait_until_contact_is("Online");
    server.subscription("anna@example.org", "bjarne@example.org");
    server.subscription("bjarne@example.org", "anna@example.org");

    bjarne.command("presence_offline");
    anna.wait_until_contact_is("Offline");
    bjarne.command("presence_online");
    anna.wait_until_contact_is("Online");

    bjarne.leave();
    anna.wait_until_contact_is("Offline");
    anna.leave();
    server.wait_until_gone(&["anna@", "bjarne@"]);
}

#[test]
fn two_clients_watch_each_other() {
    if !asked_for("baresip") {
        return;
    }
    let folder = Folder::new("baresip");
    let mut server = Server::start(&[
        "--no-auth",
        "--policy",
        "allow",
        "--notify-interval",
        "1",
        "--min-expires",
        "10",
    ]);
    let hop = server.hop(Transport::Udp);
    two_clients(&mut server, hop, &folder);
}

#[test]
fn two_clients_with_passwords_watch_each_other() {
    if !asked_for("baresip") {
        return;
    }
    let folder = Folder::new("baresip-digest");
    // baresip 1.0 gives up when one of several challenges is for another algorithm.
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "md5");
    let hop = server.hop(Transport::Tcp);
    two_clients(&mut server, hop, &folder);
}
