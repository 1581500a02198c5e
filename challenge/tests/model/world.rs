//! Everything that can happen around two challenges: phones that lose replies and retry, screens that listen and ask, a
//! server that commits in groups and may be killed, and somebody who reads along.

use challenge::redeem::{Redemption, TokenUse};
use challenge::{Effect, Subject};
use stateright::{Model, Property};

use crate::kernel::{Kernel, LIFE, Request, Row, Stands, Which, Who, at};

/// How much of the world is explored, and what is broken in it on purpose.
pub struct Story {
    pub kernel: Kernel,
    /// Both challenges are one payment's, the second in the place of the first; else each is a kiosk's of its own.
    pub one_payment: bool,
    /// How many of the two challenges there are.
    pub challenges: Which,
    /// How many of the two phones there are.
    pub phones: Who,
    /// How many of the two screens there are.
    pub screens: usize,
    /// The last tick; challenges made at the first one expire at 2.
    pub last_tick: u8,
    /// How many requests the server handles at the same time.
    pub at_once: usize,
    /// How often the server is killed.
    pub kills: u8,
    /// Whether phones are removed by their users.
    pub removals: bool,
    /// Whether backends validate what screens hand them.
    pub validations: bool,
    /// What somebody who reads along can do.
    pub attacker: Attacker,
    /// What is wrong with this server.
    pub fault: Fault,
}

/// Somebody between the phone and the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attacker {
    /// Nobody.
    Absent,
    /// Reads the bodies of claims and sends what they hold as approvals.
    ReadsClaims,
    /// Can also hold a rejection up and send its signature as an approval.
    HoldsRejections,
}

/// A server that is broken in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Ours, as it is.
    None,
    /// Reads the row when the request comes, and writes blindly later.
    ReadsThenWrites,
    /// Looks the credential up when the request comes, not in the transaction.
    ReadsTheCredentialEarly,
    /// Answers before the commit.
    AnswersEarly,
    /// Tells a screen that asks that an open challenge has expired, by the clock and not by the store.
    ExpiresByTheClock,
    /// Looks whether a token was used when the request comes.
    ReadsTheUseEarly,
    /// Gives a claimed challenge to whoever claims it next: not our server's fault but a kernel's.
    LetsClaimsBeTakenOver,
    /// Has no worker that expires what is overdue.
    NeverExpires,
}

/// One moment.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct World {
    now: u8,
    /// What a kill leaves.
    disk: Tables,
    /// What the transaction under way sees.
    open: Tables,
    /// Requests that have come and wait for the writer, in no order.
    waiting: Vec<Arrived>,
    /// What the writer will say once it has committed.
    unsaid: Vec<Said>,
    /// Whom the phones know to have claimed: `[phone][challenge]`.
    knows_claim: [[bool; 2]; 2],
    screens: [Screen; 2],
    kills: u8,
    seen: Seen,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Tables {
    challenges: [Option<Row>; 2],
    revoked: [bool; 2],
    /// When, and with which API key, an approval's token was validated.
    used: [Option<(u8, u8)>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
struct Arrived {
    request: Request,
    at: u8,
    /// What a broken server has read already.
    row: Option<Row>,
    revoked: bool,
    used: Option<(u8, u8)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
enum Said {
    /// The phone's request was granted.
    Granted(Request),
    /// The challenge's new state, for whoever watches.
    News(Which, Stands),
    /// The token is valid, for the first time or for the same caller again.
    Valid { which: Which, caller: u8, first: bool },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Screen {
    /// Its socket is open; after a kill it asks instead.
    listens: bool,
    /// Changes on their way to it, in no order.
    news: Vec<(Which, Stands)>,
    /// Which end it was told.
    told: [Option<Stands>; 2],
}

/// What a bystander writes down.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Seen {
    /// Phones that were told that they have it: `[challenge][phone]`.
    claimers: [[bool; 2]; 2],
    /// Claims whose body went over the wire: `[challenge][phone]`.
    claim_sent: [[bool; 2]; 2],
    /// Phones whose user approved or rejected: `[challenge][phone]`.
    said_yes: [[bool; 2]; 2],
    said_no: [[bool; 2]; 2],
    /// Answers that were confirmed to a phone: `[challenge][rejected, approved]`.
    confirmed: [[bool; 2]; 2],
    /// First validations told, at most 2 counted.
    first_uses: [u8; 2],
    broken: Option<Broken>,
}

/// A promise that was not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Broken {
    TwoClaimers,
    LeftAnEnd,
    ClaimChanged,
    TwoEndsTold,
    ApprovedWithoutClaim,
    ApprovedByARevokedPhone,
    ApprovedTooLate,
    ApprovedByAStranger,
    ApprovedUnasked,
    ValidatedTwice,
}

/// Something happens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Happens {
    TimePasses,
    Arrives(Request),
    /// The writer takes one of the waiting requests.
    Judged(usize),
    /// The transaction becomes durable, and its answers leave; they may all be lost on the way.
    Commits {
        lost: bool,
    },
    /// A screen hears of a change.
    Hears(usize, Which, Stands),
    /// A screen asks.
    Asks(usize, Which),
    /// kill -9, and a start on the same data.
    Killed,
}

impl Story {
    fn shows(&self, screen: usize, which: Which) -> bool {
        which < self.challenges && screen < self.screens && (self.one_payment || screen == usize::from(which))
    }

    fn row(&self, world: &World, which: Which) -> Option<Row> {
        world.disk.challenges[usize::from(which)]
    }

    fn is_overdue(&self, world: &World, which: Which) -> bool {
        self.row(world, which).is_some_and(|row| {
            let facts = self.kernel.facts(row);
            !facts.stands.is_end() && world.now >= facts.expires
        })
    }

    /// Who can send what now. Whoever sent something may send it again: a retry, or a copy that the network kept.
    fn requests(&self, world: &World, offer: &mut Vec<Happens>) {
        let mut may = |request| offer.push(Happens::Arrives(request));
        for which in 0..self.challenges {
            let c = usize::from(which);
            let Some(row) = self.row(world, which) else { continue };
            for who in 0..self.phones {
                let p = usize::from(who);
                may(Request::Claim(who, which));
                if world.knows_claim[p][c] {
                    may(Request::Answer(who, which, true));
                    may(Request::Answer(who, which, false));
                }
                if self.attacker != Attacker::Absent && world.seen.claim_sent[c][p] {
                    may(Request::Replay(who, which));
                }
                if self.attacker == Attacker::HoldsRejections && world.seen.said_no[c][p] {
                    may(Request::Flip(who, which));
                }
            }
            if self.is_overdue(world, which) && self.fault != Fault::NeverExpires {
                may(Request::Expire(which));
            }
            if self.one_payment && !self.kernel.facts(row).stands.is_end() {
                may(Request::Change(which));
            }
            let has_token = world.screens.iter().any(|screen| screen.told[c] == Some(Stands::Approved));
            if self.validations && has_token {
                may(Request::Validate(which, 0));
                may(Request::Validate(which, 1));
            }
        }
        if self.one_payment && self.challenges > 1 && world.disk.challenges[1].is_none() && world.now < 2 {
            may(Request::Refresh);
        }
        if self.removals && !world.disk.revoked[0] {
            may(Request::Revoke(0));
        }
    }

    fn arrive(&self, world: &mut World, request: Request) {
        let (c, p) = places(request);
        match request {
            Request::Claim(..) => world.seen.claim_sent[c][p] = true,
            Request::Answer(_, _, true) => world.seen.said_yes[c][p] = true,
            Request::Answer(_, _, false) => world.seen.said_no[c][p] = true,
            Request::Replay(..)
            | Request::Flip(..)
            | Request::Expire(_)
            | Request::Change(_)
            | Request::Refresh
            | Request::Revoke(_)
            | Request::Validate(..) => {}
        }
        let early = |fault| self.fault == fault;
        let arrived = Arrived {
            request,
            at: world.now,
            row: world.disk.challenges[c].filter(|_| early(Fault::ReadsThenWrites)),
            revoked: early(Fault::ReadsTheCredentialEarly) && world.disk.revoked[p],
            used: world.disk.used[c].filter(|_| early(Fault::ReadsTheUseEarly)),
        };
        world.waiting.push(arrived);
        world.waiting.sort_unstable();
    }

    /// The writer's work on one request, as `server/src/store/sqlite` does it: read, ask the kernel, write, in one transaction.
    fn judge(&self, world: &mut World, arrived: Arrived) {
        let (c, p) = places(arrived.request);
        match arrived.request {
            Request::Revoke(_) => world.open.revoked[p] = true,
            Request::Validate(which, caller) => self.validate(world, arrived, which, caller),
            Request::Refresh => {
                // A predecessor that cannot give way keeps its place.
                if let Some(row) = world.open.challenges[0] {
                    self.take(world, row, 0, Request::Refresh, arrived);
                }
                if world.open.challenges[1].is_none() {
                    world.open.challenges[1] = Some(self.kernel.generate(1, arrived.at));
                }
            }
            request => {
                let row = if self.fault == Fault::ReadsThenWrites { arrived.row } else { world.open.challenges[c] };
                if let Some(row) = row {
                    self.take(world, row, c, request, arrived);
                }
            }
        }
        world.unsaid.sort_unstable();
    }

    fn take(&self, world: &mut World, row: Row, c: usize, request: Request, arrived: Arrived) {
        let (_, p) = places(request);
        let revoked =
            if self.fault == Fault::ReadsTheCredentialEarly { arrived.revoked } else { world.open.revoked[p] };
        let mut row = row;
        if self.fault == Fault::LetsClaimsBeTakenOver && matches!(request, Request::Claim(..)) {
            row = self.kernel.generate(c as Which, self.kernel.facts(row).expires - LIFE);
        }
        let Ok((next, effect)) = self.kernel.step(row, request, revoked, arrived.at) else { return };
        let (before, after) = (self.kernel.facts(row), self.kernel.facts(next));
        world.open.challenges[c] = Some(next);
        let which = c as Which;
        if effect == Effect::Moved && after.stands == Stands::Approved {
            self.watch_approval(world, which, p, before.claimer, after.repeats_claim, arrived.at < after.expires);
        }
        // Screens are told of claims as well, but no promise hangs on that.
        if after.stands.is_end() && before.stands != after.stands && effect != Effect::Repeated {
            world.unsaid.push(Said::News(which, after.stands));
        }
        let by_phone =
            matches!(request, Request::Claim(..) | Request::Answer(..) | Request::Replay(..) | Request::Flip(..));
        if by_phone {
            world.unsaid.push(Said::Granted(request));
        }
    }

    /// An approval is only ever the claimer's, with a live key, in time, of the right user, and meant.
    fn watch_approval(
        &self,
        world: &mut World,
        which: Which,
        p: usize,
        claimer: Option<Who>,
        repeats_claim: bool,
        in_time: bool,
    ) {
        let stranger = match self.kernel.subject() {
            Subject::Identified(user) => user != self.kernel.owner(p as Who),
            Subject::Anonymous => false,
        };
        let broken = if claimer != Some(p as Who) {
            Broken::ApprovedWithoutClaim
        } else if world.open.revoked[p] {
            Broken::ApprovedByARevokedPhone
        } else if !in_time {
            Broken::ApprovedTooLate
        } else if stranger {
            Broken::ApprovedByAStranger
        } else if !world.seen.said_yes[usize::from(which)][p] && !repeats_claim {
            Broken::ApprovedUnasked
        } else {
            return;
        };
        world.broken(broken);
    }

    fn validate(&self, world: &mut World, arrived: Arrived, which: Which, caller: u8) {
        let c = usize::from(which);
        let stored = if self.fault == Fault::ReadsTheUseEarly { arrived.used } else { world.open.used[c] };
        let used = match stored {
            None => TokenUse::Unused,
            Some((tick, by)) => TokenUse::Used { at: at(tick), by: by.to_string() },
        };
        match used.redeem(&caller.to_string(), at(arrived.at)) {
            Redemption::First(_) => {
                world.open.used[c] = Some((arrived.at, caller));
                world.unsaid.push(Said::Valid { which, caller, first: true });
            }
            Redemption::Retry => world.unsaid.push(Said::Valid { which, caller, first: false }),
            Redemption::Spent => {}
        }
    }

    fn commit(&self, world: &mut World, lost: bool) {
        for c in 0..2 {
            let (Some(old), Some(new)) = (world.disk.challenges[c], world.open.challenges[c]) else { continue };
            let (old_facts, new_facts) = (self.kernel.facts(old), self.kernel.facts(new));
            if old_facts.stands.is_end() && old != new {
                world.broken(Broken::LeftAnEnd);
            }
            if old_facts.claimer.is_some() && old_facts.claimer != new_facts.claimer {
                world.broken(Broken::ClaimChanged);
            }
        }
        world.disk = world.open;
        let said = std::mem::take(&mut world.unsaid);
        if self.fault != Fault::AnswersEarly {
            self.say(world, &said, lost);
        }
    }

    /// Answers leave the server, and the screens that listen are told.
    fn say(&self, world: &mut World, said: &[Said], lost: bool) {
        for said in said {
            match *said {
                Said::News(which, stands) => {
                    for (s, screen) in world.screens.iter_mut().enumerate() {
                        if screen.listens && self.shows(s, which) && !screen.news.contains(&(which, stands)) {
                            screen.news.push((which, stands));
                            screen.news.sort_unstable();
                        }
                    }
                }
                // Whether it arrives or not, the server has said it.
                Said::Granted(request) => {
                    let (c, p) = places(request);
                    if let Request::Claim(..) = request {
                        world.seen.claimers[c][p] = true;
                        world.knows_claim[p][c] |= !lost;
                        if world.seen.claimers[c] == [true, true] {
                            world.broken(Broken::TwoClaimers);
                        }
                    } else {
                        let approved = !matches!(request, Request::Answer(_, _, false));
                        world.seen.confirmed[c][usize::from(approved)] = true;
                        if world.seen.confirmed[c] == [true, true] {
                            world.broken(Broken::TwoEndsTold);
                        }
                    }
                }
                Said::Valid { which, first, .. } => {
                    let uses = &mut world.seen.first_uses[usize::from(which)];
                    *uses = (*uses + u8::from(first)).min(2);
                    if *uses > 1 {
                        world.broken(Broken::ValidatedTwice);
                    }
                }
            }
        }
    }

    fn asks(&self, world: &mut World, screen: usize, which: Which) {
        let Some(row) = self.row(world, which) else { return };
        let stands = self.kernel.facts(row).stands;
        if stands.is_end() {
            world.tell(screen, which, stands);
        } else if self.fault == Fault::ExpiresByTheClock && self.is_overdue(world, which) {
            world.tell(screen, which, Stands::Expired);
        }
    }

    /// What a quiet hour brings: the server finishes what it has begun, time passes, the worker sweeps, screens ask.
    fn settled(&self, world: &World) -> World {
        let mut world = world.clone();
        for arrived in std::mem::take(&mut world.waiting) {
            self.judge(&mut world, arrived);
        }
        self.commit(&mut world, true);
        world.now = self.last_tick.max(4);
        for which in 0..self.challenges {
            if self.is_overdue(&world, which) && self.fault != Fault::NeverExpires {
                self.arrive(&mut world, Request::Expire(which));
                let arrived = world.waiting.remove(0);
                self.judge(&mut world, arrived);
                self.commit(&mut world, true);
            }
            for screen in 0..2 {
                if self.shows(screen, which) {
                    self.asks(&mut world, screen, which);
                }
            }
        }
        world
    }
}

/// The challenge and the phone that a request is about, as indices; 0 where it names none.
fn places(request: Request) -> (usize, usize) {
    let (which, who) = match request {
        Request::Claim(who, which)
        | Request::Answer(who, which, _)
        | Request::Replay(who, which)
        | Request::Flip(who, which) => (which, who),
        Request::Expire(which) | Request::Change(which) | Request::Validate(which, _) => (which, 0),
        Request::Revoke(who) => (0, who),
        Request::Refresh => (0, 0),
    };
    (usize::from(which), usize::from(who))
}

impl World {
    /// The first broken promise is kept: what follows from it proves nothing.
    fn broken(&mut self, promise: Broken) {
        self.seen.broken = self.seen.broken.or(Some(promise));
    }

    fn tell(&mut self, screen: usize, which: Which, stands: Stands) {
        let told = &mut self.screens[screen].told[usize::from(which)];
        match *told {
            None => *told = Some(stands),
            Some(before) if before == stands => {}
            Some(_) => self.broken(Broken::TwoEndsTold),
        }
    }

    pub fn broken_promise(&self) -> Option<Broken> {
        self.seen.broken
    }
}

impl Model for Story {
    type State = World;
    type Action = Happens;

    fn init_states(&self) -> Vec<World> {
        let second = (!self.one_payment && self.challenges > 1).then(|| self.kernel.generate(1, 0));
        let tables =
            Tables { challenges: [Some(self.kernel.generate(0, 0)), second], revoked: [false; 2], used: [None; 2] };
        let screen = Screen { listens: true, news: Vec::new(), told: [None; 2] };
        vec![World {
            now: 0,
            disk: tables,
            open: tables,
            waiting: Vec::new(),
            unsaid: Vec::new(),
            knows_claim: [[false; 2]; 2],
            screens: [screen.clone(), screen],
            kills: 0,
            seen: Seen::default(),
        }]
    }

    fn actions(&self, world: &World, offer: &mut Vec<Happens>) {
        // What follows a broken promise proves nothing.
        if world.seen.broken.is_some() {
            return;
        }
        if world.now < self.last_tick {
            offer.push(Happens::TimePasses);
        }
        if world.waiting.len() + world.unsaid.len() < self.at_once {
            self.requests(world, offer);
        }
        offer.extend((0..world.waiting.len()).map(Happens::Judged));
        if !world.unsaid.is_empty() || world.open != world.disk {
            offer.push(Happens::Commits { lost: false });
            offer.push(Happens::Commits { lost: true });
        }
        for (s, screen) in world.screens.iter().enumerate() {
            offer.extend(screen.news.iter().map(|(which, stands)| Happens::Hears(s, *which, *stands)));
            offer.extend(
                (0..self.challenges).filter(|which| self.shows(s, *which)).map(|which| Happens::Asks(s, which)),
            );
        }
        if world.kills < self.kills {
            offer.push(Happens::Killed);
        }
    }

    fn next_state(&self, before: &World, happens: Happens) -> Option<World> {
        let mut world = before.clone();
        match happens {
            Happens::TimePasses => world.now += 1,
            Happens::Arrives(request) => self.arrive(&mut world, request),
            Happens::Judged(index) => {
                let arrived = world.waiting.remove(index);
                self.judge(&mut world, arrived);
                if self.fault == Fault::AnswersEarly {
                    let said = std::mem::take(&mut world.unsaid);
                    self.say(&mut world, &said, false);
                }
            }
            Happens::Commits { lost } => self.commit(&mut world, lost),
            Happens::Hears(screen, which, stands) => {
                let told = world.screens[screen].told[usize::from(which)];
                world.screens[screen].news.retain(|news| *news != (which, stands));
                // A socket is done with a challenge once it has passed on how it ended.
                if told.is_none() {
                    world.tell(screen, which, stands);
                }
            }
            Happens::Asks(screen, which) => self.asks(&mut world, screen, which),
            Happens::Killed => {
                world.kills += 1;
                world.open = world.disk;
                world.waiting.clear();
                world.unsaid.clear();
                for screen in &mut world.screens {
                    screen.listens = false;
                    screen.news.clear();
                }
            }
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(KEPT, |_, world: &World| world.seen.broken.is_none()),
            Property::always(SAID_IS_DURABLE, |story: &Self, world: &World| {
                (0..2).all(|c| {
                    let claimer = world.disk.challenges[c].and_then(|row| story.kernel.facts(row).claimer);
                    let told = |p: usize| world.seen.claimers[c][p];
                    (0..2).all(|p| !told(p) || claimer == Some(p as Who))
                })
            }),
            Property::always(ENDS, |story: &Self, world: &World| {
                let world = story.settled(world);
                (0..2).all(|screen| {
                    (0..story.challenges).filter(|which| story.shows(screen, *which)).all(|which| {
                        story.row(&world, which).is_none() || world.screens[screen].told[usize::from(which)].is_some()
                    })
                })
            }),
            Property::sometimes("a challenge is approved", |story: &Self, world: &World| {
                story.stands(world, Stands::Approved)
            }),
            Property::sometimes("a challenge is rejected", |story: &Self, world: &World| {
                story.stands(world, Stands::Rejected)
            }),
            Property::sometimes("a challenge expires", |story: &Self, world: &World| {
                story.stands(world, Stands::Expired)
            }),
            Property::sometimes("an approved one is shown to all its screens", |story: &Self, world: &World| {
                (0..2).all(|s| !story.shows(s, 0) || world.screens[s].told[0] == Some(Stands::Approved))
            }),
        ]
    }
}

impl Story {
    fn stands(&self, world: &World, stands: Stands) -> bool {
        (0..self.challenges)
            .any(|which| self.row(world, which).is_some_and(|row| self.kernel.facts(row).stands == stands))
    }
}

/// The names of what must always hold.
pub const KEPT: &str = "no promise is broken";
pub const SAID_IS_DURABLE: &str = "who was told that they have it, has it on disk";
pub const ENDS: &str = "left alone, every challenge ends and every screen learns how";
