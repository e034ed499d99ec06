#include "task/wait_table.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "exec/scheduling.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// Zeros are a bucket without links: a table that had to be made would be half made in the child of a fork.
struct Bucket {
  using List = IntrusiveList<WaitLink>;

  // Under mutex.
  List& Links() noexcept {
    if (!is_made) ::new (static_cast<void*>(list.data())) List;
    is_made = true;
    return *std::launder(reinterpret_cast<List*>(list.data()));
  }

  Mutex mutex;
  bool is_made = false;
  alignas(List) std::array<std::byte, sizeof(List)> list{};
};

constexpr unsigned kBucketBits = 14;  // for tens of thousands of bodies that wait for what they returned

struct Table {
  std::array<Bucket, std::size_t{1} << kBucketBits> buckets;
  Mutex free_mutex;
  WaitRecord* free_records = nullptr;  // under free_mutex
};

// Never destroyed: threads may still wait while the statics are.
constinit Table the_table;

Bucket& BucketOf(const void* key) noexcept {
  const auto hash = (reinterpret_cast<std::uintptr_t>(key) >> 4) * 0x9e3779b97f4a7c15U;  // NOLINT
  return the_table.buckets[hash >> (64 - kBucketBits)];
}

WaitRecord* TakeRecord() {
  {
    const std::lock_guard lock(the_table.free_mutex);
    if (WaitRecord* record = the_table.free_records) {
      the_table.free_records = record->next_free;
      return record;
    }
  }
  return new WaitRecord;
}

void GiveRecord(WaitRecord& record) noexcept {
  const std::lock_guard lock(the_table.free_mutex);
  record.next_free = the_table.free_records;
  the_table.free_records = &record;
}

bool RunsOneAtATime(const ContextNode& root) noexcept {
  return !ExecutorOf(root).GetCapabilities().parallel;  // code of the user: under no lock
}

// True while this thread asks an executor for its keys, which may wait before it answers. That wait is not
// entered: it would ask again, and its entries would be lost.
constinit thread_local bool t_asking = false;

}  // namespace

// The keys under which the body of one frame is found.
struct FrameLinks {
  WaitRecord* record = nullptr;
  std::unique_ptr<WaitLink[]> links;
  std::size_t count = 0;
};

namespace {

struct Asking {
  Asking() noexcept { t_asking = true; }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  ~Asking() { t_asking = false; }
};

// The task; the job that waits for it; a piece of it; what cannot begin on its executor meanwhile.
std::vector<const void*> KeysOf(const Frame& frame) {
  const Asking asking;
  const TaskCore& core = *frame.core;
  std::vector<const void*> keys{&core};
  if (const ContextNode* job = JobOf(core)) keys.push_back(static_cast<const TaskCore*>(job));
  if (frame.piece != nullptr) keys.push_back(frame.piece);
  ForEachForeignRoot(core, [&keys](const ContextNode& root) {
    if (RunsOneAtATime(root)) keys.push_back(&root);
  });
  return keys;
}

void Publish(Frame& frame, WaitRecord& record) {
  const auto keys = KeysOf(frame);
  auto links = std::make_unique<FrameLinks>();
  links->record = &record;
  links->links = std::make_unique<WaitLink[]>(keys.size());
  links->count = keys.size();
  const bool keeps_place = KeepsPlace(frame);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    links->links[i].key = keys[i];
    links->links[i].thread = &record;
    links->links[i].keeps_place = keeps_place;
    AddWaitLink(links->links[i]);
  }
  frame.links = links.release();
}

}  // namespace

void Withdraw(Frame& frame) noexcept {
  const std::unique_ptr<FrameLinks> links(std::exchange(frame.links, nullptr));
  for (std::size_t i = 0; i < links->count; ++i) RemoveWaitLink(links->links[i]);
  const bool last =
      frame.outer == nullptr || frame.outer->links == nullptr || frame.outer->links->record != links->record;
  if (last) GiveRecord(*links->record);
}

WaitRecord* PublishFrames() noexcept {
  if (t_asking) return nullptr;
  Frame* const innermost = CurrentFrame();
  Frame* published = innermost;
  while (published != nullptr && published->links == nullptr) published = published->outer;
  WaitRecord* record = published != nullptr ? published->links->record : nullptr;
  try {
    if (record == nullptr) record = TakeRecord();
    // From the outermost, so that those below a published frame are published.
    std::vector<Frame*> fresh;
    for (Frame* at = innermost; at != published; at = at->outer) fresh.push_back(at);
    for (; !fresh.empty(); fresh.pop_back()) {
      Publish(*fresh.back(), *record);
      published = fresh.back();
    }
    return record;
  } catch (...) {
    if (published == nullptr && record != nullptr) GiveRecord(*record);
    return nullptr;
  }
}

void AddWaitLink(WaitLink& link) noexcept {
  Bucket& bucket = BucketOf(link.key);
  const std::lock_guard lock(bucket.mutex);
  bucket.Links().PushFront(link);
}

void RemoveWaitLink(WaitLink& link) noexcept {
  const std::lock_guard lock(BucketOf(link.key).mutex);
  link.Unlink();
}

void ForEachLink(const void* key, void (*visit)(WaitLink& link, void* data), void* data) {
  Bucket& bucket = BucketOf(key);
  const std::lock_guard lock(bucket.mutex);
  const Bucket::List& links = bucket.Links();
  for (WaitLink* link = links.Front(); link != nullptr; link = links.Next(*link)) {
    if (link->key == key) visit(*link, data);
  }
}

// The phase first, then the table; a body that waits enters itself first and then looks at the phase.
void TellOccupants(const TaskCore& core) noexcept {
  ForEachForeignRoot(core, [](const ContextNode& root) {
    ForEachLink(&root, [](WaitLink& link) {
      const std::lock_guard lock(link.thread->mutex);
      if (link.thread->number != 0 && link.thread->sleeper != nullptr) link.thread->sleeper->Nudge();
    });
  });
}

TaskCore* ShareInner(const TaskCore& outer, bool& is_timed) noexcept {
  TaskCore* inner = nullptr;
  ForEachLink(&outer, [&inner, &is_timed](WaitLink& link) {
    if (inner != nullptr || link.task == nullptr || link.task->IsTerminal()) return;
    inner = link.task;
    is_timed = link.is_timed;
    Ref(*inner);
  });
  return inner;
}

bool KeepsPlace(const Frame& frame) noexcept {
  if (!frame.is_batched) return false;
  for (const Frame* at = frame.outer; at != nullptr; at = at->outer) {
    if (at->core->parent == frame.core->parent) return false;
  }
  return true;
}

const ContextNode* JobOf(const TaskCore& core) noexcept {
  if ((core.flags & ContextNode::kAdmitted) == 0) return nullptr;
  const ContextNode* node = core.parent;
  while (node != nullptr && (node->flags & ContextNode::kTask) == 0) node = node->parent;
  return node;
}

}  // namespace orchestrate::inline v1::detail
