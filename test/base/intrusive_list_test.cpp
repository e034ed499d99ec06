#include <gtest/gtest.h>

#include <array>
#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/intrusive_queue.hpp>
#include <vector>

namespace orchestrate::detail {
namespace {

struct OtherTag;

struct Item : ListNode<>, ListNode<OtherTag> {
  Item* next = nullptr;
};
using List = IntrusiveList<Item>;
using OtherList = IntrusiveList<Item, OtherTag>;

ListNode<>& Node(Item& item) { return item; }

std::vector<const Item*> Contents(const List& list) {
  std::vector<const Item*> items;
  for (const Item* item = list.Front(); item != nullptr; item = list.Next(*item)) items.push_back(item);
  return items;
}

TEST(IntrusiveList, KeepsTheOrder) {
  std::array<Item, 4> items;
  List list;
  EXPECT_TRUE(list.Empty());
  EXPECT_EQ(list.Front(), nullptr);
  EXPECT_EQ(list.Back(), nullptr);
  list.PushBack(items[1]);
  list.PushBack(items[3]);
  list.PushFront(items[0]);
  list.InsertBefore(items[3], items[2]);
  EXPECT_EQ(Contents(list), (std::vector<const Item*>{&items[0], &items[1], &items[2], &items[3]}));
  EXPECT_EQ(list.PopFront(), &items[0]);
  EXPECT_EQ(list.PopBack(), &items[3]);
  EXPECT_EQ(list.Front(), &items[1]);
  EXPECT_EQ(list.Back(), &items[2]);
}

TEST(IntrusiveList, UnlinksAnItemFromTheMiddle) {
  std::array<Item, 3> items;
  List list;
  for (Item& item : items) list.PushBack(item);
  EXPECT_TRUE(Node(items[1]).IsLinked());
  Node(items[1]).Unlink();
  Node(items[1]).Unlink();
  EXPECT_FALSE(Node(items[1]).IsLinked());
  EXPECT_EQ(Contents(list), (std::vector<const Item*>{&items[0], &items[2]}));
}

TEST(IntrusiveList, HoldsAnItemOncePerTag) {
  Item item;
  List list;
  OtherList other;
  list.PushBack(item);
  other.PushBack(item);
  EXPECT_EQ(list.PopFront(), &item);
  EXPECT_EQ(other.Front(), &item);
}

TEST(IntrusiveList, SplicesAnotherListBehindItself) {
  std::array<Item, 3> items;
  List list;
  List other;
  list.PushBack(items[0]);
  other.PushBack(items[1]);
  other.PushBack(items[2]);
  list.Splice(other);
  EXPECT_TRUE(other.Empty());
  list.Splice(other);
  EXPECT_EQ(Contents(list), (std::vector<const Item*>{&items[0], &items[1], &items[2]}));
}

TEST(IntrusiveList, UnlinksItsItemsWhenItEnds) {
  Item item;
  {
    List list;
    list.PushBack(item);
  }
  EXPECT_FALSE(Node(item).IsLinked());
}

TEST(IntrusiveQueue, IsFirstInFirstOut) {
  std::array<Item, 4> items;
  IntrusiveQueue<Item> queue;
  EXPECT_EQ(queue.Pop(), nullptr);
  queue.Push(items[1]);
  queue.Push(items[2]);
  queue.PushFront(items[0]);
  IntrusiveQueue<Item> more;
  more.Push(items[3]);
  queue.Append(more);
  EXPECT_TRUE(more.Empty());
  for (Item& item : items) EXPECT_EQ(queue.Pop(), &item);
  EXPECT_TRUE(queue.Empty());
  queue.PushFront(items[0]);
  queue.Push(items[1]);
  EXPECT_EQ(queue.Front(), &items[0]);
}

}  // namespace
}  // namespace orchestrate::detail
