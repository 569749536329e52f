"""A SIP client on pjsua2 that publishes its own state and watches contacts.

Started by the tests of this folder, which read the lines that it prints and write commands:

    online|busy|away|offline [NOTE]    publish this state
    quit                               end subscriptions, publication and registration, and stop

Each change of a contact is a line "contact URI: STATUS [ACTIVITY] [NOTE]"; each change of a
subscription is a line "subscription URI: STATE [REASON]".
"""

import argparse
import os
import select
import sys

import pjsua2

STATUS = {
    pjsua2.PJSUA_BUDDY_STATUS_ONLINE: "online",
    pjsua2.PJSUA_BUDDY_STATUS_OFFLINE: "offline",
}
ACTIVITY = {
    pjsua2.PJRPID_ACTIVITY_BUSY: "busy",
    pjsua2.PJRPID_ACTIVITY_AWAY: "away",
}


def say(line):
    print(line, flush=True)


class Log(pjsua2.LogWriter):
    """The library's log and the messages go to a file, for when a test fails."""

    def __init__(self, path):
        super().__init__()
        self.file = open(path, "w", encoding="utf-8", errors="replace")

    def write(self, entry):
        self.file.write(entry.msg)
        self.file.flush()


class Account(pjsua2.Account):
    def onRegState(self, prm):
        say(f"registered: {prm.code} for {prm.expiration}")


class Contact(pjsua2.Buddy):
    told = None

    def onBuddyState(self):
        info = self.getInfo()
        presence = info.presStatus
        words = [STATUS.get(presence.status, "unknown")]
        words += [ACTIVITY[presence.activity]] if presence.activity in ACTIVITY else []
        words += [presence.note or presence.statusText]
        line = f"contact {info.uri}: {' '.join(words)}"
        # It is called for changes of the subscription, too.
        if line != self.told:
            self.told = line
            say(line)

    def onBuddyEvSubState(self, prm):
        info = self.getInfo()
        reason = f" {info.subTermReason}" if info.subTermReason else ""
        say(f"subscription {info.uri}: {info.subStateName}{reason}")


def presence(word, note):
    status = pjsua2.PresenceStatus()
    offline = word == "offline"
    status.status = pjsua2.PJSUA_BUDDY_STATUS_OFFLINE if offline else pjsua2.PJSUA_BUDDY_STATUS_ONLINE
    for activity, name in ACTIVITY.items():
        if name == word:
            status.activity = activity
    status.note = note
    return status


def commands(endpoint):
    """The lines of standard input, while the library is kept going; all in one thread."""
    pending = b""
    while True:
        endpoint.libHandleEvents(20)
        while select.select([0], [], [], 0)[0]:
            read = os.read(0, 4096)
            if not read:
                return
            pending += read
        *lines, pending = pending.split(b"\n")
        for line in lines:
            word, _, rest = line.decode().strip().partition(" ")
            yield word, rest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--proxy", type=int, required=True, help="port of 127.0.0.1 to send everything to")
    parser.add_argument("--transport", choices=["udp", "tcp"], default="udp")
    parser.add_argument("--log", required=True)
    parser.add_argument("contacts", nargs="*", metavar="URI")
    args = parser.parse_args()

    endpoint = pjsua2.Endpoint()
    endpoint.libCreate()
    config = pjsua2.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    log = Log(args.log)
    config.logConfig.level = 5
    config.logConfig.consoleLevel = 5
    config.logConfig.msgLogging = 1
    config.logConfig.writer = log
    endpoint.libInit(config)
    # Nobody is called here.
    endpoint.audDevManager().setNullDev()
    transport = pjsua2.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    transport.port = args.port
    kind = pjsua2.PJSIP_TRANSPORT_TCP if args.transport == "tcp" else pjsua2.PJSIP_TRANSPORT_UDP
    endpoint.transportCreate(kind, transport)
    endpoint.libStart()

    config = pjsua2.AccountConfig()
    config.idUri = f"sip:{args.user}@{args.domain}"
    config.regConfig.registrarUri = f"sip:{args.domain}"
    config.regConfig.timeoutSec = 60
    # A failed test does not last as long as the usual wait of five minutes.
    config.regConfig.retryIntervalSec = 5
    config.sipConfig.proxies.append(f"sip:127.0.0.1:{args.proxy};transport={args.transport};lr")
    config.sipConfig.authCreds.append(pjsua2.AuthCredInfo("digest", "*", args.user, 0, args.password))
    config.presConfig.publishEnabled = True
    account = Account()
    account.create(config)

    contacts = []
    for uri in args.contacts:
        config = pjsua2.BuddyConfig()
        config.uri = uri
        config.subscribe = True
        contact = Contact()
        contact.create(account, config)
        contacts.append(contact)

    say("ready")
    for word, rest in commands(endpoint):
        if word in ("online", "busy", "away", "offline"):
            account.setOnlineStatus(presence(word, rest))
        elif word == "quit":
            break
        else:
            say(f"no such command: {word}")
    say("leaving")
    for contact in contacts:
        contact.subscribePresence(False)
    endpoint.libDestroy()
    say("left")
    # Its objects may not be taken apart once the library is gone.
    sys.stdout.flush()
    os._exit(0)


main()
