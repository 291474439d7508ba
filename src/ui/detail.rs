//! A level down: a pod with its containers and events, a Service with its endpoints and managers,
//! a Deployment with its rollout by generation.

mod alert;
mod operation;
mod run;

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column, right};
use super::theme::{Mark, Role, Theme, colour_role};
use super::words;
use crate::app::{Item, Level, State, View, view};
use crate::estate::act::{About, Doing, Outcome};
use crate::estate::runs::{Run, newest_of};
use crate::estate::{
    Condition, Container, ContainerState, Deployment, Event, Image, Kind, Live, Pod, Safe, Service,
    Verdict, health, why,
};
use crate::ops::marks::{self, Flipped};

/// A page: lines, and which of them stand for which item.
pub(super) struct Page<'a> {
    state: &'a State,
    theme: Theme,
    width: usize,
    lines: Vec<Text>,
    items: Vec<(Item, usize)>,
}

/// Draws `level` into `area`, whose first row is its divider.
pub fn draw(state: &State, level: &Level, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 3 {
        return;
    }
    let mut page = Page {
        state,
        theme: canvas.theme,
        width: usize::from(area.width.saturating_sub(3)),
        lines: Vec::new(),
        items: Vec::new(),
    };
    let title = match &level.view {
        View::Pod(name) => page.pod(name),
        View::Service(name) => page.service(name),
        View::Deployment(name) => page.deployment(name),
        View::Run(id) => run::page(&mut page, *id),
        View::Alert(labels) => alert::page(&mut page, labels),
        View::Operation(id) => operation::page(&mut page, id),
        View::Log(_) => return,
    };
    canvas.divider(area.y, &title);
    let list = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    page.show(level, canvas, list);
}

impl Page<'_> {
    fn show(&self, level: &Level, canvas: &mut Canvas<'_>, area: Rect) {
        let items = view::items(self.state, &level.view);
        let at = level.position(&items);
        let chosen = (self.items.iter())
            .find(|(item, _)| items.get(at) == Some(item))
            .map(|(_, line)| *line);
        let height = usize::from(area.height);
        let most = self.lines.len().saturating_sub(height);
        // The page begins at its top for as long as the chosen line is on it; the first one is where it was opened, and
        // what it says goes before where it leads.
        let last = height.saturating_sub(2);
        let chosen_at = chosen.filter(|_| at > 0).unwrap_or(0);
        let natural = chosen_at.saturating_sub(last).min(most);
        let scrolled = i64::try_from(natural).unwrap_or(0) + i64::from(level.scroll);
        let first = usize::try_from(scrolled.max(0)).unwrap_or(0).min(most);
        for (y, (place, line)) in
            (area.y..area.bottom()).zip(self.lines.iter().enumerate().skip(first))
        {
            canvas.text(area.x + 2, y, area.width.saturating_sub(3), line);
            if chosen == Some(place) {
                canvas.select(Rect {
                    x: area.x + 1,
                    y,
                    width: area.width.saturating_sub(2),
                    height: 1,
                });
            }
        }
        let below = self.lines.len().saturating_sub(first + height);
        let said = match (first, below) {
            (0, 0) => return,
            (0, below) => format!(" {below} lines below "),
            (above, 0) => format!(" {above} lines above "),
            (above, below) => format!(" {above} above, {below} below "),
        };
        let said = Text::default().add(said, Role::Dim);
        canvas.text_right(area.x + 1, area.y - 1, area.width - 2, &said);
    }

    fn line(&mut self, text: Text) {
        self.lines.push(text);
    }

    /// What this cockpit did about it, the latest first; who is to answer.
    fn acts(&mut self, about: &About, whom: &str) {
        let state = self.state;
        // A run is of no environment of its own.
        let is_here =
            |it: &Doing| it.environment == state.selected || matches!(about, About::Run(_));
        let of_it = |it: &&Doing| it.about == *about && is_here(it);
        for doing in state.acts.iter().rev().filter(of_it).take(3) {
            let (mark, said) = match &doing.outcome {
                None => (Mark::Running, format!("sent, waiting for {whom}")),
                Some(Outcome::Done(words)) => (Mark::Ok, words.to_string()),
                Some(Outcome::NotDone(why)) => (Mark::Bad, format!("not done: {why}")),
                Some(Outcome::Unknown(why)) => (Mark::Unknown, format!("UNKNOWN: {why}")),
            };
            let age = words::age_of(Some(doing.at), state.estate(), state.now);
            let noun = doing.act.noun();
            let said = format!("{} {noun}, {age} ago: {said}", self.theme.mark(mark));
            self.wrapped(0, &said, Theme::role(mark));
        }
    }

    /// An empty line and a heading.
    fn heading(&mut self, words: &str) {
        if !self.lines.is_empty() {
            self.line(Text::default());
        }
        self.line(Text::default().add(words, Role::Focus));
    }

    fn fact(&mut self, name: &str, value: impl Into<String>) {
        let line = Text::default()
            .add(column(name, 14, &self.theme), Role::Dim)
            .add(value, Role::Plain);
        self.line(line);
    }

    /// Long words on as many lines as they need.
    fn wrapped(&mut self, indent: usize, words: &str, role: Role) {
        for line in super::canvas::wrapped(words, self.width.saturating_sub(indent).max(20)) {
            self.line(Text::plain(" ".repeat(indent)).add(line, role));
        }
    }

    fn age(&self, at: Option<jiff::Timestamp>) -> String {
        words::age_of(at, self.state.estate(), self.state.now)
    }

    fn gone(&mut self, kind: &str, name: &Safe) -> Text {
        self.absent(kind, name, "is gone")
    }

    /// An object of the cluster that is not there: missing is never known before all of its kind were listed.
    fn missing(&mut self, kind: Kind, word: &str, name: &Safe) -> Text {
        let estate = self.state.estate();
        let said = match (estate.is_listed(kind), estate.fault(kind)) {
            (true, _) if kind == Kind::Services => "is not there".to_owned(),
            (true, _) => "is gone".to_owned(),
            (false, Some(fault)) => format!("is not known: {}", fault.what),
            (false, None) => "was not seen yet".to_owned(),
        };
        self.absent(word, name, &said)
    }

    fn absent(&mut self, kind: &str, name: &Safe, why: &str) -> Text {
        let mark = self.theme.mark(Mark::Look);
        let said = format!("{mark} {kind} {name} {why}; Esc goes back");
        self.line(Text::default().add(said, Role::Warn));
        Text::default().add(format!("{kind}  {name}"), Role::Focus)
    }

    fn pod(&mut self, name: &Safe) -> Text {
        let state = self.state;
        let estate = state.estate();
        let Some(pod) = estate.pods.value.get(name) else {
            return self.missing(Kind::Pods, "Pod", name);
        };
        match estate.why_not_ready(pod) {
            Some(why) => {
                let said = format!(
                    "{} {} {}",
                    self.theme.mark(Mark::Bad),
                    why.short,
                    self.age(why.since)
                );
                self.line(Text::default().add(said, Role::Bad));
                self.wrapped(2, &why.detail, Role::Plain);
            }
            None if pod.is_finished() => self.line(Text::plain("finished")),
            None => self.line(Text::plain(format!("{} ready", self.theme.mark(Mark::Ok)))),
        }
        self.line(Text::default());
        let node = pod.node.as_ref().map_or("no node yet", |n| n.as_str());
        self.fact("node", node);
        self.fact("phase", pod.phase.to_string());
        if let Some(owner) = &pod.owner {
            self.fact("owner", owner.to_string());
        }
        let labels: Vec<_> = pod.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        self.fact("labels", labels.join("  "));
        self.heading("Containers");
        for container in &pod.containers {
            self.container(container);
        }
        self.events(|e| e.object_uid == pod.uid);
        let mut title = Text::default().add(format!("Pod  {name}"), Role::Focus);
        if let Some(colour) = estate.index.group(name).and_then(|g| g.colour) {
            title.push(
                format!("  {}", words::colour_word(estate, colour)),
                colour_role(colour),
            );
        }
        title.add(format!("  {}", self.age(pod.created)), Role::Dim)
    }

    fn container(&mut self, container: &Container) {
        let (mark, said) = match &container.state {
            ContainerState::Unknown => (Mark::Unknown, "no status".to_owned()),
            ContainerState::Waiting { reason, .. } => (Mark::Bad, reason.to_string()),
            ContainerState::Running { since } if container.ready => {
                (Mark::Ok, format!("running {}", self.age(*since)))
            }
            ContainerState::Running { since } => (
                Mark::Look,
                format!("running {}, not ready", self.age(*since)),
            ),
            ContainerState::Terminated(ended) if ended.exit_code == 0 => {
                (Mark::Dot, "completed".to_owned())
            }
            ContainerState::Terminated(ended) => (Mark::Bad, why::exit(ended)),
        };
        let kind = match (container.init, container.sidecar) {
            (_, true) => " (sidecar)",
            (true, false) => " (init)",
            (false, false) => "",
        };
        let text = Text::default()
            .add(format!("{} ", self.theme.mark(mark)), Theme::role(mark))
            .add(
                column(&format!("{}{kind}", container.name), 22, &self.theme),
                Role::Plain,
            )
            .add(column(&said, 28, &self.theme), Theme::role(mark))
            .add(
                format!("{} {}", self.theme.mark(Mark::Restarts), container.restarts),
                Role::Dim,
            );
        self.items
            .push((Item::Container(container.name.clone()), self.lines.len()));
        self.line(text);
        let digest = container
            .image
            .digest
            .as_ref()
            .map(|d| format!("  {d}"))
            .unwrap_or_default();
        self.line(Text::default().add(format!("  {}{digest}", container.image.name), Role::Dim));
        if let ContainerState::Waiting {
            message: Some(message),
            ..
        } = &container.state
        {
            self.wrapped(2, message, Role::Plain);
        }
        if let Some(last) = &container.last {
            let said = format!("last run: {}, {} ago", why::exit(last), self.age(last.at));
            self.wrapped(2, &said, Role::Warn);
        }
        if let Some(probe) = &container.probe {
            self.line(Text::default().add(format!("  readiness {probe}"), Role::Dim));
        }
    }

    /// Where nothing of `kind` stands: that there is none, or why that is not known.
    fn none(&mut self, kind: Kind, said: &str, role: Role) {
        let estate = self.state.estate();
        match (estate.is_listed(kind), estate.fault(kind)) {
            (true, _) => self.line(Text::default().add(said, role)),
            (false, Some(fault)) => self.wrapped(0, &fault.what, Role::Warn),
            (false, None) => self.line(Text::default().add("not seen yet", Role::Dim)),
        }
    }

    /// Events of one object, the newest first.
    fn events(&mut self, of: impl Fn(&Event) -> bool) {
        let mut events: Vec<&Event> = self
            .state
            .estate()
            .events
            .value
            .iter()
            .filter(|e| of(e))
            .collect();
        events.sort_by_key(|e| std::cmp::Reverse(e.last));
        self.heading("Events");
        if events.is_empty() {
            let said = "none kept by the API server (it keeps them for an hour, as a rule)";
            self.none(Kind::Events, said, Role::Dim);
        }
        for event in events.into_iter().take(50) {
            let mark = if event.is_warning {
                Mark::Look
            } else {
                Mark::Dot
            };
            let times = if event.count > 1 {
                format!("  ×{}", event.count)
            } else {
                String::new()
            };
            let text = Text::default()
                .add(right(&self.age(event.last), 4, &self.theme), Role::Dim)
                .add(format!(" {} ", self.theme.mark(mark)), Theme::role(mark))
                .add(column(&event.reason, 20, &self.theme), Role::Plain)
                .add(format!(" {}{times}", event.message), Role::Plain);
            self.line(text);
        }
    }

    fn service(&mut self, name: &Safe) -> Text {
        let state = self.state;
        let estate = state.estate();
        let views = estate.service_views();
        let view = views.iter().find(|v| v.name == name);
        let Some(service) = estate.services.value.get(name) else {
            return self.missing(Kind::Services, "Service", name);
        };
        let selector: Vec<_> = service
            .selector
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        self.fact("selector", selector.join("  "));
        self.fact("type", service.kind.to_string());
        self.fact(
            "ports",
            service
                .ports
                .iter()
                .map(Safe::as_str)
                .collect::<Vec<_>>()
                .join("  "),
        );
        if let Some(view) = view {
            let live = match view.live {
                Live::Colour(colour) => words::colour_word(estate, colour),
                _ => "neither colour".to_owned(),
            };
            self.fact("live", live);
        }
        self.flipped(service);
        self.managers(service);
        self.endpoints(name);
        self.events(|e| e.object_uid == service.uid);
        Text::default()
            .add(format!("Service  {name}"), Role::Focus)
            .add(format!("  {}", self.age(service.created)), Role::Dim)
    }

    /// Who flipped it last, from what to what, why, by which operation, and what ran there.
    fn flipped(&mut self, service: &Service) {
        let Some(flip) = marks::flipped(service) else {
            return;
        };
        self.heading("Last flip by Wheelhouse");
        let from = flip.from.as_ref().map_or("unset", |from| from.as_str());
        let at = words::moment(flip.at, self.state);
        let age = self.age(Some(flip.at));
        self.fact("what", format!("{}  {from} → {}", flip.word(), flip.to));
        self.fact("by", flip.by.to_string());
        self.fact("at", format!("{at}, {age} ago"));
        if let Some(why) = &flip.why {
            self.fact("why", why.to_string());
        }
        self.fact("operation", flip.operation.to_string());
        let images: Vec<&str> = flip.images.iter().map(Safe::as_str).collect();
        self.fact("images", images.join("  "));
        self.runs(&flip);
        if let Some(meant) = service.meant().filter(|meant| *meant != service.selector) {
            let pairs: Vec<_> = meant.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let said = format!(
                "{} meant was  {}",
                self.theme.mark(Mark::Bad),
                pairs.join("  ")
            );
            self.line(Text::default().add(said, Role::Bad));
        }
    }

    /// The runs that built what ran there: as the flip says or, where nobody asked then, as GitHub tells here now.
    fn runs(&mut self, flip: &Flipped) {
        let said: BTreeSet<Safe> = match (flip.runs.is_empty(), &self.state.repository) {
            (false, _) => flip.runs.iter().cloned().collect(),
            (true, None) => BTreeSet::new(),
            (true, Some(repository)) => {
                let runs = &repository.runs.value;
                let of = |words: &Safe| {
                    let tag = words.split(' ').next()?;
                    let image = Image::named(format!("image:{tag}").into());
                    newest_of(runs, image.commit()?).map(Run::words)
                };
                flip.images.iter().filter_map(of).collect()
            }
        };
        if !said.is_empty() {
            let all: Vec<&str> = said.iter().map(Safe::as_str).collect();
            self.fact("run", all.join("  "));
        }
    }

    fn managers(&mut self, service: &Service) {
        self.heading("Field managers (the API names programs, not persons)");
        let mut managers: Vec<_> = service.managers.iter().collect();
        managers.sort_by_key(|m| std::cmp::Reverse(m.at));
        for manager in managers {
            let keys: Vec<_> = manager.selector_keys.iter().map(Safe::as_str).collect();
            let owns = match (keys.is_empty(), manager.owns_spec) {
                (false, _) => format!("selector: {}", keys.join(", ")),
                (true, true) => "other fields of spec".to_owned(),
                (true, false) => "metadata or status".to_owned(),
            };
            let at = manager
                .at
                .map_or_else(|| "-".to_owned(), |at| words::moment(at, self.state));
            let text = Text::plain(column(&manager.name, 28, &self.theme))
                .add(column(&manager.operation, 8, &self.theme), Role::Dim)
                .add(column(&at, 22, &self.theme), Role::Dim)
                .add(owns, Role::Plain);
            self.line(text);
        }
    }

    fn endpoints(&mut self, service: &Safe) {
        let estate = self.state.estate();
        self.heading("Endpoints");
        let slices: Vec<_> = estate
            .slices
            .value
            .iter()
            .filter(|s| s.service == *service)
            .collect();
        if slices.iter().all(|s| s.endpoints.is_empty()) {
            let said = "none: nothing takes this Service's traffic";
            self.none(Kind::EndpointSlices, said, Role::Bad);
        }
        let stranger = match estate.is_listed(Kind::Pods) {
            true => "no pod of this environment",
            false => "pod not known",
        };
        for endpoint in slices.iter().flat_map(|s| &s.endpoints) {
            let pod = endpoint
                .target
                .as_ref()
                .and_then(|uid| estate.index.name_of(uid));
            let colour = pod.and_then(|p| estate.index.group(p)?.colour);
            let (mark, said) = match (endpoint.ready, endpoint.terminating) {
                (true, _) => (Mark::Ok, "ready"),
                (false, true) if endpoint.serving => (Mark::Waiting, "draining"),
                (false, true) => (Mark::Waiting, "terminating"),
                (false, false) => (Mark::Bad, "not ready"),
            };
            let name = pod.map_or(stranger, |p| p.as_str());
            let text = Text::default()
                .add(format!("{} ", self.theme.mark(mark)), Theme::role(mark))
                .add(column(said, 12, &self.theme), Theme::role(mark))
                .add(
                    column(
                        &colour.map_or("-".to_owned(), |c| words::colour_word(estate, c)),
                        8,
                        &self.theme,
                    ),
                    colour.map_or(Role::Warn, colour_role),
                )
                .add(column(&endpoint.address, 18, &self.theme), Role::Dim)
                .add(name, Role::Plain);
            if let Some(pod) = pod {
                self.items.push((Item::Pod(pod.clone()), self.lines.len()));
            }
            self.line(text);
        }
    }

    fn deployment(&mut self, name: &Safe) -> Text {
        let state = self.state;
        let estate = state.estate();
        let Some(deployment) = estate.deployments.value.get(name) else {
            return self.missing(Kind::Deployments, "Deployment", name);
        };
        self.rollout(deployment);
        self.heading("Conditions");
        for condition in &deployment.conditions {
            self.condition(condition);
        }
        self.revisions(deployment);
        self.heading("Pods");
        let group = estate.deployment_group(deployment);
        let pods: Vec<&Pod> = (estate.index.ordered())
            .filter(|p| estate.index.group(p) == Some(group))
            .filter_map(|p| estate.pods.value.get(p))
            .collect();
        if pods.is_empty() {
            self.none(Kind::Pods, "none", Role::Dim);
        }
        for pod in pods {
            let why = estate.why_not_ready(pod);
            let mark = if why.is_some() { Mark::Bad } else { Mark::Ok };
            let said = why.map_or("ready".to_owned(), |w| format!("{}: {}", w.short, w.detail));
            let text = Text::default()
                .add(format!("{} ", self.theme.mark(mark)), Theme::role(mark))
                .add(column(&pod.name, 46, &self.theme), Role::Plain)
                .add(format!("{:>5}  ", self.age(pod.created)), Role::Dim)
                .add(said, Role::Plain);
            self.items
                .push((Item::Pod(pod.name.clone()), self.lines.len()));
            self.line(text);
        }
        self.events(|e| e.object_uid == deployment.uid);
        let mut title = Text::default().add(format!("Deployment  {name}"), Role::Focus);
        if let Some(colour) = group.colour {
            title.push(
                format!("  {}", words::colour_word(estate, colour)),
                colour_role(colour),
            );
        }
        title.add(format!("  {}", self.age(deployment.created)), Role::Dim)
    }

    fn rollout(&mut self, d: &Deployment) {
        let verdict = health::rollout(d);
        let mark = words::verdict_mark(&verdict);
        let said = match &verdict {
            Verdict::Ok => "rolled out".to_owned(),
            Verdict::Bad(why) | Verdict::Unknown(why) => why.to_string(),
        };
        let paused = if d.paused { "  paused" } else { "" };
        self.line(
            Text::default()
                .add(
                    format!("{} {said}", self.theme.mark(mark)),
                    Theme::role(mark),
                )
                .add(paused, Role::Warn),
        );
        self.line(Text::default());
        self.fact(
            "generation",
            format!(
                "{} wanted, {} observed",
                d.generation, d.observed_generation
            ),
        );
        self.fact(
            "replicas",
            format!(
                "{} wanted · {} there · {} updated · {} ready · {} available",
                d.desired, d.replicas, d.updated, d.ready, d.available
            ),
        );
        for (container, image) in &d.images {
            self.fact("image", format!("{container}  {}", image.name));
        }
        if let Some(release) = &d.helm_release {
            self.fact("helm release", release.to_string());
        }
    }

    fn condition(&mut self, condition: &Condition) {
        let mark = match (condition.kind.as_str(), condition.status.as_str()) {
            ("ReplicaFailure", "True") | ("Available" | "Progressing", "False") => Mark::Bad,
            (_, "Unknown") => Mark::Unknown,
            _ => Mark::Ok,
        };
        let reason = condition.reason.as_ref().map_or("", |r| r.as_str());
        let message = condition.message.as_ref().map_or("", |m| m.as_str());
        let text = Text::default()
            .add(format!("{} ", self.theme.mark(mark)), Theme::role(mark))
            .add(column(&condition.kind, 16, &self.theme), Role::Plain)
            .add(column(&condition.status, 8, &self.theme), Role::Plain)
            .add(format!("{:>5}  ", self.age(condition.since)), Role::Dim)
            .add(format!("{reason}  {message}"), Role::Plain);
        self.line(text);
    }

    fn revisions(&mut self, deployment: &Deployment) {
        let mut owned: Vec<_> = (self.state.estate().replica_sets.value.iter())
            .filter(|r| r.owner.as_ref() == Some(&deployment.name))
            .collect();
        owned.sort_by_key(|r| std::cmp::Reverse(r.created));
        self.heading("Revisions");
        if owned.is_empty() {
            self.none(Kind::ReplicaSets, "none", Role::Dim);
        }
        for set in owned {
            let is_current = set.revision == deployment.revision;
            let mark = if is_current { Mark::Live } else { Mark::Idle };
            let revision = set.revision.as_ref().map_or("?", |r| r.as_str());
            let tags: Vec<_> = set
                .images
                .iter()
                .map(|(_, i)| i.short_tag().to_owned())
                .collect();
            let text = Text::default()
                .add(
                    format!("{} {revision:>3}  ", self.theme.mark(mark)),
                    Role::Plain,
                )
                .add(column(&tags.join(" "), 16, &self.theme), Role::Plain)
                .add(
                    format!("ready {}/{}  ", set.ready, set.desired),
                    Role::Plain,
                )
                .add(format!("{:>5}  ", self.age(set.created)), Role::Dim)
                .add(set.name.to_string(), Role::Dim);
            self.line(text);
        }
    }
}
