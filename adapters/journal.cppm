export module autotunenet.journal;

export import autotunenet;
export import :human_log;
export import :observers;
export import :reader;
export import :writer;
