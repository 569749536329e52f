//! Requests and responses in datagrams, between the sockets and the agent.

use bytes::Bytes;
use presentity::event::Failure;
use presentity::presence::Policy;
use presentity::sip::{RequestRef, ResponseRef};
use tokio::time::Instant;

use super::datagram::{self, Echo, Head, StartLine};
use super::forward::Passed;
use super::outgoing::{Outgoing, Sender};
use super::transactions::{Route, Seen};
use super::udp::{self, Received};
use super::{Adapter, Host, Origin, Outcome, Reply};

impl<P: Policy, H: Host<P>> Adapter<P, H> {
    /// Repeats and gives up what is sent in datagrams, forgets what came in them; whether anything was
    /// given up.
    pub(super) fn handle_due(&mut self) -> bool {
        let now = Instant::now();
        self.stack.udp.servers.expire(now);
        let mut given_up = false;
        while let Some(sender) = self.stack.udp.timed_out(now) {
            self.handle_outcome(sender, Outcome::Failure(Failure::Timeout));
            given_up = true;
        }
        given_up
    }

    /// A datagram: a request, or the response to one.
    pub(super) fn handle_datagram(&mut self, received: &Received, datagram: &[u8], closing: bool) {
        if datagram == b"\r\n\r\n" {
            // A keep-alive (RFC 5626 section 4.4.1 has it for connections; some send it so).
            let _ = self.stack.udp.send(received.route(), b"\r\n");
            return;
        }
        let Some((text, body)) = datagram::split(datagram) else {
            return;
        };
        let Some(head) = Head::parse(&text) else {
            return;
        };
        match head.start_line() {
            Some(StartLine::Request { method, uri }) if !closing => {
                self.handle_datagram_request(received, &head, (method, uri), body);
            }
            Some(StartLine::Response { status }) => {
                self.handle_datagram_response(&head, status, body);
            }
            _ => {}
        }
    }

    fn handle_datagram_request(
        &mut self,
        received: &Received,
        head: &Head<'_>,
        (method, uri): (&str, &str),
        body: &[u8],
    ) {
        if method == "ACK" {
            return;
        }
        let Some(echo) = head.echo(method, uri, received.source) else {
            return;
        };
        let route = Route {
            listener: received.listener,
            destination: echo.destination,
        };
        let udp = &mut self.stack.udp;
        match udp.servers.open(&echo.key) {
            Seen::New => {}
            Seen::Pending => return,
            Seen::Answered(response) => {
                let response = response.clone();
                let _ = udp.send(route, &response);
                return;
            }
        }
        let body = head.announced(body);
        let cut_short = body.is_none();
        let body = body.map(Bytes::copy_from_slice).unwrap_or_default();
        let request = RequestRef::new(method, uri, head.fields(), &body);
        let arrival = self
            .stack
            .datagram_arrival(received, datagram::has_several_vias(&request));
        let taken = if cut_short {
            Err(Reply::new(400))
        } else if method == "CANCEL" {
            let invite = echo.key.replacen("CANCEL", "INVITE", 1);
            let known = self.stack.udp.servers.knows(&invite);
            Err(Reply::new(if known { 200 } else { 481 }))
        } else {
            self.handle_request(&request, &arrival)
        };
        let kept = self.keep(&request, || head.fields(), &arrival, &taken);
        self.settle(Origin::Datagram(received.listener, echo), taken, kept);
    }

    fn handle_datagram_response(&mut self, head: &Head<'_>, status: u16, body: &[u8]) {
        let clients = &mut self.stack.udp.clients;
        let Some(body) = head.announced(body) else {
            return;
        };
        let sender = head.answers().and_then(|(branch, method, is_last)| {
            let branch = udp::branch_of_ours(branch)?;
            // What we have forwarded has the Via of its sender below ours, and nothing else has.
            let is_forwarded = clients.opened(branch)?.request.is_forwarded();
            (is_forwarded != is_last).then_some(())?;
            clients.close(branch, method, status)
        });
        let Some(sender) = sender else {
            return;
        };
        self.under_way = self.under_way.saturating_sub(1);
        let now = self.now();
        let body = Bytes::copy_from_slice(body);
        match sender {
            Sender::Agent(transaction) => {
                let response = ResponseRef::new(status, head.fields(), &body);
                self.agent.handle_response(now, transaction, &response);
            }
            Sender::Forwarder(id) => {
                let passed = Passed::new(status, head.fields(), body);
                self.handle_forwarded(id, Ok(passed));
            }
        }
    }

    /// Sends a response, and keeps it for the repetitions of its request.
    pub(super) fn answer(&mut self, listener: usize, echo: &Echo, octets: Vec<u8>) {
        let route = Route {
            listener,
            destination: echo.destination,
        };
        // A response that cannot be sent is as good as lost on the way.
        let _ = self.stack.udp.send(route, &octets);
        let now = Instant::now();
        self.stack.udp.servers.answer(now, &echo.key, octets.into());
    }

    /// Sends a request.
    pub(super) fn send_datagram(&mut self, request: Outgoing, route: Route) {
        let sent = self.stack.udp.request(Instant::now(), request, route);
        if let Err(sender) = sent {
            self.handle_outcome(sender, Outcome::Failure(Failure::Transport));
        }
    }
}
