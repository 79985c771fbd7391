export module autotunenet;

export import :error;
export import :search_space;
export import :spelling;
export import :trial;
export import :generator;
export import :stage;
